"""Config fields with metadata: unit, range, source, open choices.

Range checks, the list of settings that determine the fine-tuning plan, and the tables of
docs/method.md and docs/settings.md are generated from this metadata.
"""

import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import ConfigDict

T = TypeVar("T")

STRICT_KEYS = ConfigDict(extra="forbid")
"""pydantic configuration of all configs: unknown keys are refused."""

SeenBy = Literal["plan", "iterations", "end"]
"""Where a fine-tuning setting takes effect: in the plan, which then reflects it (tasks, samples,
learning rates); in the iterations themselves; or only after the last one."""

_KEY = "setting"
_FIRST: Any = object()
"""Marks a missing reference value: a first setting, or one defined outside the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers that a setting (each number of a tuple) may be. It has exactly one lower bound."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    is_odd: bool = False

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.above is None):
            raise ValueError(f"at_least is {self.at_least}, above {self.above}; give one of them")

    def allows(self, number: float) -> bool:
        """Whether the number is in the range; NaN never is."""
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
            and (not self.is_odd or number % 2 == 1)
        )

    def __str__(self) -> str:
        start = f"[{self.at_least:g}" if self.above is None else f"({self.above:g}"
        if self.at_most is not None:
            bounds = f"in {start}, {self.at_most:g}]"
        elif self.below is not None:
            bounds = f"in {start}, {self.below:g})"
        else:
            bounds = f"at least {start[1:]}" if self.above is None else f"above {start[1:]}"
        return f"odd, {bounds}" if self.is_odd else bounds


AT_LEAST_0 = Range(at_least=0)
AT_LEAST_1 = Range(at_least=1)
ABOVE_0 = Range(above=0)
ODD = Range(at_least=1, is_odd=True)
SHARE = Range(at_least=0, at_most=1)
SHARE_ABOVE_0 = Range(above=0, at_most=1)
SHARE_BELOW_1 = Range(at_least=0, below=1)


@dataclass(frozen=True, slots=True)
class OpenChoice:
    """A question that the paper leaves open. Settings with equal choices share one table row."""

    what: str
    choice: str
    """The default here."""

    paper: str = "nothing"
    """What the paper says about it."""

    source: str = "ours"
    """Where the choice comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Metadata of a setting besides its type, default and docstring."""

    within: Range | None = None
    """Allowed numbers; None: anything of its type."""

    unit: str = ""

    paper: str = ""
    """Section of the paper that states the default; empty: the paper states none."""

    open_choice: OpenChoice | None = None
    """The open question of docs/method.md that this setting belongs to, if any."""

    seen_by: SeenBy = "iterations"
    """For fine-tuning settings only."""

    reference: Any = _FIRST
    """See `added_later`."""

    @property
    def metadata(self) -> Mapping[str, "Setting"]:
        """This setting as metadata of a dataclass field."""
        return {_KEY: self}


def config_field(
    default: T,
    within: Range | None = None,
    unit: str = "",
    *,
    paper: str = "",
    open_choice: OpenChoice | None = None,
    seen_by: SeenBy = "iterations",
) -> T:
    """A dataclass field with the metadata of a setting (see `Setting`)."""
    known = Setting(within=within, unit=unit, paper=paper, open_choice=open_choice, seen_by=seen_by)
    return field(default=default, metadata=known.metadata)


def added_later(item: T, *, reference: Any) -> T:
    """The field of a setting that was added after `FIRST_SETTINGS` was frozen.

    Args:
        item: the result of `config_field`.
        reference: the value that gives the same numbers as before the setting existed. It never
            changes, even if the default does: digests include the setting only if it differs
            (`digest`).
    """
    known: Any = item
    default: T = known.default
    return field(default=default, metadata=replace(_known(known), reference=reference).metadata)


def references_of(config_type: type) -> dict[str, Any]:
    """Dotted path -> reference value, as JSON types, of every setting that was added later."""
    return {
        path: json.loads(json.dumps(known.reference))
        for path, known in settings_by_path(config_type).items()
        if known.reference is not _FIRST
    }


def settings_by_path(config_type: type) -> dict[str, Setting]:
    """Dotted path -> metadata of every setting that holds a value, in order of definition."""
    hints = get_type_hints(config_type)
    found: dict[str, Setting] = {}
    for item in fields(config_type):
        hint = hints[item.name]
        if is_dataclass(hint):
            inner = settings_by_path(hint)  # type: ignore[arg-type]  # narrowed to an instance by typeshed
            found |= {f"{item.name}.{path}": known for path, known in inner.items()}
        else:
            found[item.name] = _known(item)
    return found


def names_seen_by(config_type: type, when: SeenBy) -> frozenset[str]:
    """Names of the settings in a stage's config that take effect there."""
    known = settings_by_path(config_type)
    return frozenset(name for name, setting in known.items() if setting.seen_by == when)


def require(is_satisfied: bool, message: str) -> None:
    """Refuse a config whose values are inconsistent.

    Raises:
        ValueError: with the message, which quotes the value, if not satisfied; `parse` turns it
            into a ConfigError.
    """
    if not is_satisfied:
        raise ValueError(message)


def require_ranges(config: Any) -> None:
    """Refuse a config in which a number is outside its range.

    Whether a setting may be None is up to its type and is not checked here.

    Raises:
        ValueError: quoting the value and the range.
    """
    for item in fields(config):
        within, value = _known(item).within, getattr(config, item.name)
        if within is None or value is None:
            continue
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(within.allows(number) for number in numbers):
            shown, each = (list(value), "each") if isinstance(value, tuple) else (value, "it")
            none = ", or none" if item.default is None else ""
            raise ValueError(f"{item.name} is {shown}; {each} must be {within}{none}")


def _known(item: Field[Any]) -> Setting:
    known: Setting = item.metadata.get(_KEY, Setting())
    return known


def require_rising(name: str, places: tuple[int, ...]) -> None:
    """Raise ValueError unless there is at least one block or layer and each is above the last."""
    require(
        len(places) >= 1 and list(places) == sorted(set(places)),
        f"{name} is {list(places)}; give at least one, in ascending order",
    )
