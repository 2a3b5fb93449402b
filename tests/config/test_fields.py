import math
from dataclasses import FrozenInstanceError, dataclass, fields

import pytest

from bearing_search.config import (
    FinetuneConfig,
    OpenChoice,
    TrialConfig,
    names_seen_by,
    parse,
    plain_form,
    settings_by_path,
    to_plain,
)
from bearing_search.config.fields import (
    AT_LEAST_1,
    SHARE,
    Range,
    added_later,
    config_field,
    references_of,
    require_ranges,
)
from bearing_search.errors import ConfigError

KNOWN = settings_by_path(plain_form(TrialConfig))
WITH_RANGE = [path for path, known in KNOWN.items() if known.within]


def default_of(path):
    value = to_plain(TrialConfig())
    for name in path.split("."):
        value = value[name]
    return value


def outside(within):
    """A number beyond each end of a range, and an even one where only odd ones are in it."""
    if within.at_least is not None:
        yield within.at_least - 1
    if within.above is not None:
        yield within.above
    if within.at_most is not None:
        yield within.at_most + 1
    if within.below is not None:
        yield within.below
    if within.is_odd:
        yield 2


def nested(path, value):
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize("path", WITH_RANGE)
def test_a_default_lies_in_its_range(path):
    default = default_of(path)
    numbers = default if isinstance(default, list) else [] if default is None else [default]
    assert all(KNOWN[path].within.allows(number) for number in numbers)


@pytest.mark.parametrize("path", WITH_RANGE)
def test_a_value_out_of_its_range_is_refused_with_path_and_range(path):
    section, _, name = path.rpartition(".")
    default, within = default_of(path), KNOWN[path].within
    for number in outside(within):
        value = [number, *default[1:]] if isinstance(default, list) else number
        each = "each" if isinstance(default, list) else "it"
        with pytest.raises(ConfigError) as caught:
            parse(TrialConfig, nested(path, value))
        assert str(caught.value).startswith(f"{section}: {name} is ")
        assert f"; {each} must be {within}" in str(caught.value)


def test_ranges_are_what_is_found_where_a_config_is_checked():
    assert len(WITH_RANGE) > 60
    assert all(list(outside(KNOWN[path].within)) for path in WITH_RANGE)


@pytest.mark.parametrize(
    ("within", "text", "inside", "beyond"),
    [
        (Range(at_least=2), "at least 2", (2, 9), (1, float("nan"))),
        (Range(above=0), "above 0", (1e-9,), (0, -1)),
        (Range(at_least=0, at_most=1), "in [0, 1]", (0, 1), (-1, 1.01)),
        (Range(above=0, at_most=1), "in (0, 1]", (0.5, 1), (0, 2)),
        (Range(at_least=0, below=1), "in [0, 1)", (0, 0.99), (1,)),
        (Range(above=-2, below=0.5), "in (-2, 0.5)", (0,), (-2, 0.5)),
        (Range(at_least=1, is_odd=True), "odd, at least 1", (1, 3), (2, -1)),
    ],
)
def test_a_range_holds_its_numbers_and_says_so(within, text, inside, beyond):
    assert str(within) == text
    assert all(map(within.allows, inside))
    assert not any(map(within.allows, beyond))


@pytest.mark.parametrize("ends", [{}, {"at_most": 1}, {"above": 0, "at_least": 0}])
def test_a_range_without_one_low_end_is_refused(ends):
    with pytest.raises(ValueError, match="give one of them"):
        Range(**ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    share: float = config_field(0.5, Range(at_least=0, at_most=1), seen_by="plan")
    places: tuple[int, ...] = config_field((), Range(at_least=1), "blocks", seen_by="end")
    depth: int | None = config_field(None, Range(at_least=1), open_choice=OpenChoice("how", "so"))
    name: str = "plain"

    def __post_init__(self):
        require_ranges(self)


def test_a_new_field_is_found_by_what_it_says_of_itself():
    assert names_seen_by(Tiny, "plan") == {"share"}
    assert names_seen_by(Tiny, "end") == {"places"}
    assert names_seen_by(Tiny, "iterations") == {"depth", "name"}
    assert settings_by_path(Tiny)["depth"].open_choice == OpenChoice("how", "so")
    assert settings_by_path(Tiny)["name"].unit == ""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"share": 2}, r"share is 2; it must be in \[0, 1\]$"),
        ({"places": (3, 0)}, r"places is \[3, 0\]; each must be at least 1$"),
        ({"depth": 0}, "depth is 0; it must be at least 1, or none$"),
    ],
)
def test_what_is_out_of_range_is_quoted_with_the_range(values, says):
    with pytest.raises(ValueError, match=says):
        Tiny(**values)
    assert Tiny(share=1, places=(1,), depth=1)


def test_what_is_known_of_a_setting_cannot_be_changed():
    (share, *_) = fields(Tiny)
    with pytest.raises(TypeError):
        share.metadata["setting"] = None  # type: ignore[index]  # so it should be
    with pytest.raises(FrozenInstanceError):
        share.metadata["setting"].unit = "px"


def test_only_fine_tuning_is_seen_by_a_plan_or_an_end():
    special = {path for path, known in KNOWN.items() if known.seen_by != "iterations"}
    own = names_seen_by(FinetuneConfig, "plan") | names_seen_by(FinetuneConfig, "end")
    assert special == {f"finetune.{name}" for name in own}
    assert "tuned_share" in names_seen_by(FinetuneConfig, "end")


def test_the_reference_of_a_field_is_kept_beside_what_is_known_of_it():
    @dataclass(frozen=True, kw_only=True)
    class Later:
        first: int = config_field(3, AT_LEAST_1, "epochs")
        ema: float = added_later(config_field(0.9, SHARE, paper="3.2"), reference=0.0)
        blocks: tuple[int, ...] = added_later(config_field((1,)), reference=())

    assert references_of(Later) == {"ema": 0.0, "blocks": []}
    assert settings_by_path(Later)["ema"].within == SHARE
    assert settings_by_path(Later)["ema"].paper == "3.2"
    assert Later().ema == 0.9


@pytest.mark.parametrize("given", [[0, 5], [-3, 5], [9, 5], [math.nan, 5]])
def test_sides_of_drawn_defects_are_two_ordered_lengths(given):
    with pytest.raises(ConfigError, match=r"drawn_defect_px is .* two lengths above 0"):
        parse(TrialConfig, {"protocol": {"drawn_defect_px": given}})


def test_the_sides_of_drawn_defects_may_be_equal():
    config = parse(TrialConfig, {"protocol": {"drawn_defect_px": [5, 5]}})
    assert config.protocol.drawn_defect_px == (5, 5)
