"""Untrusted text becomes a config in one place, which says what was meant."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from bearing_search.config.fields import settings_by_path
from bearing_search.config.trial import TrialConfig
from bearing_search.errors import ConfigError

T = TypeVar("T")


def parse(config_type: type[T], raw: Mapping[str, Any]) -> T:
    """Turn untrusted nested mappings (YAML, a Ray config) into a config dataclass.

    Raises:
        ConfigError: naming every bad key by its dotted path, with the closest valid name.
    """
    try:
        adapter = _adapter(config_type)  # type: ignore[arg-type]  # mypy takes a class for unhashable
        parsed: T = adapter.validate_python(raw)
        return parsed
    except ValidationError as error:
        known = config_paths(config_type)
        problems = [_explain(problem, known) for problem in error.errors()]
        raise ConfigError("; ".join(dict.fromkeys(problems))) from None


@cache
def _adapter(config_type: Any) -> Any:
    return TypeAdapter(config_type)  # building one takes far longer than using it


def config_paths(config_type: type) -> list[str]:
    """Dotted paths of all settings that hold a value, in order of definition."""
    return list(settings_by_path(config_type))


def no_such_setting(path: str, known: list[str]) -> str:
    """The sentence for an unknown setting, with the closest valid name."""
    close = get_close_matches(path, known, n=1) or [
        full for full in known if full.rpartition(".")[2] == path.rpartition(".")[2]
    ]
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"{path}: no such setting; {hint}"


def _explain(problem: Mapping[str, Any], known: list[str]) -> str:
    # pydantic appends the position inside a tuple or a union; the setting's path is the rest
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "unexpected_keyword_argument":
        return no_such_setting(path, known)
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if message != problem["msg"] else f", found {problem['input']!r}"
    return f"{path}: {message}{found}" if path else message


def setting_type(path: str) -> Any:
    """Declared type of the setting at a dotted path of TrialConfig."""
    current: Any = TrialConfig
    for name in path.split("."):
        current = get_type_hints(current)[name]
    return current


def is_layer_set(path: str) -> bool:
    """Whether the setting is a set of blocks, so that a `subset` axis may vary it."""
    return get_args(setting_type(path)) == (int, ...)
