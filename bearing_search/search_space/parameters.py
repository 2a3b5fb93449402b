"""The kinds of search-space parameters: `int`, `float`, `log`, `choice`, `subset`, `bundle`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bearing_search.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class IntParameter:
    """Whole numbers from `low` to `high` (inclusive) in steps of `step`."""

    low: int
    high: int
    step: int = 1

    def snap(self, value: Any) -> int:
        """The value in the type of the parameter, if it is allowed.

        Raises:
            ConfigError: it is not allowed.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
            raise ConfigError("which is not a whole number")
        if not self.low <= value <= self.high:
            raise ConfigError(f"outside {self}")
        if (int(value) - self.low) % self.step:
            raise ConfigError(f"between the values of {self}")
        return int(value)

    def extremes(self) -> Sequence[int]:
        """Values to try before anything starts."""
        return (self.low, self.high)

    def __str__(self) -> str:
        return f"int [{self.low}, {self.high}" + (f", {self.step}]" if self.step != 1 else "]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatParameter:
    """Real numbers from `low` to `high`, sampled uniformly or log-uniformly."""

    low: float
    high: float
    log: bool = False

    def snap(self, value: Any) -> float:
        """The value in the type of the parameter, if it is allowed.

        Raises:
            ConfigError: it is not allowed.
        """
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ConfigError("which is not a number") from None
        if isinstance(value, bool):
            raise ConfigError("which is not a number")
        if not self.low <= number <= self.high:
            raise ConfigError(f"outside {self}")
        return number

    def extremes(self) -> Sequence[float]:
        """Values to try before anything starts."""
        return (self.low, self.high)

    def __str__(self) -> str:
        return f"{'log' if self.log else 'float'} [{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceParameter:
    """One of several unordered values of any JSON type."""

    choices: tuple[Any, ...]

    def snap(self, value: Any) -> Any:
        """The value itself, if it is among the choices.

        Raises:
            ConfigError: it is not.
        """
        for choice in self.choices:
            # the base was parsed as a config (1 may have become 1.0), so equal values match
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        raise ConfigError(f"not among {self}")

    def extremes(self) -> Sequence[Any]:
        """Values to validate before a sweep starts: all."""
        return self.choices

    def as_text(self) -> list[str]:
        """The choices as JSON, because Optuna stores only scalars and strings."""
        return [json.dumps(choice) for choice in self.choices]

    def __str__(self) -> str:
        return f"choice {json.dumps(list(self.choices))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetParameter:
    """Any subset of the layers in `members`; each is included independently."""

    members: tuple[int, ...]
    empty: tuple[int, ...]
    """Substitute for the empty set."""

    def snap(self, value: Any) -> list[int]:
        """The set in the order of `members`, if it is a non-empty subset of them.

        Raises:
            ConfigError: it is not.
        """
        is_set = isinstance(value, Sequence) and all(member in self.members for member in value)
        if not is_set or not value:
            raise ConfigError(f"not a subset of {self}")
        return [member for member in self.members if member in value]

    def extremes(self) -> Sequence[list[int]]:
        """Values to validate before a sweep starts: each layer alone, all, and `empty`."""
        return [*([member] for member in self.members), list(self.members), list(self.empty)]

    def __str__(self) -> str:
        return f"subset {list(self.members)}, empty: {list(self.empty)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleParameter:
    """One of several named groups of settings; its name is not that of a setting."""

    bundles: Mapping[str, Mapping[str, Any]]
    """Name -> dotted path -> value. Settings that a bundle does not list keep the base's value."""

    @property
    def paths(self) -> list[str]:
        """All settings that a bundle sets, without duplicates."""
        return list(dict.fromkeys(path for settings in self.bundles.values() for path in settings))

    def snap(self, value: Any) -> str:
        """The name itself, if a bundle has it.

        Raises:
            ConfigError: it is not.
        """
        if not isinstance(value, str) or value not in self.bundles:
            raise ConfigError(f"not among {', '.join(self.bundles)}")
        return value

    def extremes(self) -> Sequence[str]:
        """Values to validate before a sweep starts: all."""
        return list(self.bundles)

    def __str__(self) -> str:
        shown = [
            f"{name} ({', '.join(f'{p} {json.dumps(v)}' for p, v in settings.items()) or 'base'})"
            for name, settings in self.bundles.items()
        ]
        return f"bundle {', '.join(shown)}"


Parameter = IntParameter | FloatParameter | ChoiceParameter | SubsetParameter | BundleParameter
