import pytest

from bearing_search.text.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (200, "3:20"), (3725, "1:02:05")]
)
def test_seconds_read_as_a_clock(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (45, "45 s"), (1860, "31 min"), (18720, "5.2 h"), (302400, "3.5 d")],
)
def test_a_rounded_duration_has_one_unit(seconds, text):
    assert format_duration(seconds, rounded=True) == text
