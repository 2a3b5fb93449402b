"""Fields of the config that carry what is known of them: unit, range, source, open choices.

What would else be kept by hand beside the config is read from here: the checks of ranges, which
settings the plan of fine-tuning tells, and the tables of docs/method.md and docs/settings.md.
"""

import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import ConfigDict

T = TypeVar("T")

STRICT_KEYS = ConfigDict(extra="forbid")
"""What all configs share: unknown keys are refused."""

SeenBy = Literal["plan", "iterations", "end"]
"""When a setting of fine-tuning counts: in the plan, which then tells it (tasks, samples, learning
rates); in the iterations themselves; only after the last one."""

_KEY = "setting"
_FIRST: Any = object()
"""Stands for no reference value: the setting is one of the first, or outside the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers that a setting may be; of a tuple, each of its numbers. It has one low end."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    is_odd: bool = False

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.above is None):
            raise ValueError(f"at_least is {self.at_least}, above {self.above}; give one low end")

    def allows(self, number: float) -> bool:
        """Whether the number is one of them; NaN is in no bounded range."""
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
    """A question that the paper leaves open. Settings with equal choices share one row."""

    what: str
    choice: str
    """What is done here by default."""

    paper: str = "nothing"
    """What the paper says about it."""

    source: str = "ours"
    """Where the choice comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of a setting beside its type, its default and its docstring."""

    within: Range | None = None
    """None: its type alone says what it may be."""

    unit: str = ""

    paper: str = ""
    """Section of the paper that states the default; empty: it states none."""

    open_choice: OpenChoice | None = None
    """What the paper leaves open, where that is one of the questions of docs/method.md."""

    seen_by: SeenBy = "iterations"
    """Of fine-tuning alone."""

    reference: Any = _FIRST
    """See `added_later`."""

    @property
    def metadata(self) -> Mapping[str, "Setting"]:
        """As the metadata of a dataclass's field."""
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
    """A field of a config's dataclass, with what is known of it (see `Setting`)."""
    known = Setting(within=within, unit=unit, paper=paper, open_choice=open_choice, seen_by=seen_by)
    return field(default=default, metadata=known.metadata)


def added_later(item: T, *, reference: Any) -> T:
    """The field of a setting that was added after others.

    Args:
        item: what `config_field` gave.
        reference: the value under which every number is as it was before the setting existed. It
            never changes, whatever becomes of the default: digests count the setting only where it
            differs (`digest`).
    """
    known: Any = item
    default: T = known.default
    return field(default=default, metadata=replace(_known(known), reference=reference).metadata)


def references_of(config_type: type) -> dict[str, Any]:
    """By dotted path, as JSON has it: the reference value of every setting that was added later."""
    return {
        path: json.loads(json.dumps(known.reference))
        for path, known in settings_by_path(config_type).items()
        if known.reference is not _FIRST
    }


def settings_by_path(config_type: type) -> dict[str, Setting]:
    """What is known of every setting that holds a value, by dotted path, in order of definition."""
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
    """Names of the settings of a stage's config that count then."""
    known = settings_by_path(config_type)
    return frozenset(name for name, setting in known.items() if setting.seen_by == when)


def require(is_satisfied: bool, message: str) -> None:
    """Refuse a config whose values do not go together.

    Raises:
        ValueError: with the message, which quotes the value, unless satisfied; `parse` turns it
            into a ConfigError.
    """
    if not is_satisfied:
        raise ValueError(message)


def require_ranges(config: Any) -> None:
    """Refuse a config of which some number is outside its range.

    Whether a setting may be None is said by its type, not here.

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
