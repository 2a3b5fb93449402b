import pytest

from bearing_search.text.shares import bound_text, share_text


@pytest.mark.parametrize(
    ("value", "share", "bound"),
    [
        (0.0, "0 %", "0 %"),
        (1.0, "100 %", "100 %"),
        (0.05, "5 %", "5 %"),
        (1 / 58, "1.72 %", "1.73 %"),
        (0.31234, "31.2 %", "31.3 %"),
        (0.999, "99.9 %", "99.9 %"),
        (0.9999, "100 %", "100 %"),
        (0.00001, "0.001 %", "0.01 %"),
    ],
)
def test_a_bound_is_rounded_up_and_a_share_to_the_nearest(value, share, bound):
    assert (share_text(value), bound_text(value)) == (share, bound)


def test_an_unknown_share_says_so():
    assert share_text(float("nan")) == "unknown"
