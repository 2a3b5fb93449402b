"""Parsing of untrusted mappings into configs, with suggestions for misspelt settings."""

from collections.abc import Mapping
from dataclasses import field, fields, make_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from bearing_search.config.detector_table import DETECTORS
from bearing_search.config.fields import STRICT_KEYS, settings_by_path
from bearing_search.config.trial_config import TrialConfig
from bearing_search.errors import ConfigError

T = TypeVar("T")


def parse(config_type: type[T], raw: Mapping[str, Any]) -> T:
    """Turn untrusted nested mappings (YAML, a Ray config) into a config dataclass.

    Raises:
        ConfigError: naming every bad key by its dotted path, with the closest valid name.
    """
    try:
        parsed = _adapter(plain_form(config_type)).validate_python(raw)
    except ValidationError as error:
        known = config_paths(config_type)
        problems = [_explain(problem, known) for problem in error.errors()]
        raise ConfigError("; ".join(dict.fromkeys(problems))) from None
    if issubclass(config_type, TrialConfig):
        return cast("T", _trial(config_type, parsed))
    return cast("T", parsed)


def plain_form(config_type: type) -> type:
    """The dataclass whose fields are a config's keys in text form.

    This is the config type itself, except for TrialConfig, where every detector of the table gets
    a section of its name.
    """
    if not issubclass(config_type, TrialConfig):
        return config_type
    sections = tuple((name, spec.config) for name, spec in DETECTORS.items())
    return _trial_form(config_type, sections)  # type: ignore[arg-type]  # mypy takes a class for unhashable


@cache
def _trial_form(config_type: type[TrialConfig], sections: tuple[tuple[str, type], ...]) -> type:
    hints, literal = get_type_hints(config_type), cast("Any", Literal)
    found: list[tuple[str, Any, Any]] = []
    for item in fields(config_type):
        if item.name == "sections":
            found += [(name, kind, field(default_factory=kind)) for name, kind in sections]
            continue
        hint = hints[item.name]
        if item.name == "detector":
            hint = literal[tuple(name for name, _ in sections)]
        value: Any = field(
            default=item.default, default_factory=item.default_factory, metadata=item.metadata
        )
        found.append((item.name, hint, value))
    namespace = {"__pydantic_config__": STRICT_KEYS}
    return make_dataclass("TrialConfig", found, namespace=namespace, frozen=True, kw_only=True)


def _trial(config_type: type[TrialConfig], form: Any) -> TrialConfig:
    settings = {item.name: getattr(form, item.name) for item in fields(form)}
    sections = tuple(settings.pop(name) for name in DETECTORS)
    try:
        return config_type(**settings, sections=sections)
    except ValueError as error:  # settings that do not go together
        raise ConfigError(str(error)) from None


@cache
def _adapter(config_type: Any) -> Any:
    return TypeAdapter(config_type)  # much slower to build than to use


def config_paths(config_type: type) -> list[str]:
    """Dotted paths of all settings that hold a value, in order of definition."""
    return list(settings_by_path(plain_form(config_type)))


def no_such_setting(path: str, known: list[str]) -> str:
    """The error message for an unknown setting, with the closest valid name."""
    close = get_close_matches(path, known, n=1) or [
        full for full in known if full.rpartition(".")[2] == path.rpartition(".")[2]
    ]
    hint = f"did you mean {close[0]}?" if close else f"known are {_members(path, known)}"
    return f"{path}: no such setting; {hint}"


def _members(path: str, known: list[str]) -> str:
    """The settings and sections beside an unknown setting, or at the top if its section is one."""
    section = path.rpartition(".")[0]
    prefix = f"{section}." if any(one.startswith(f"{section}.") for one in known) else ""
    names = [one.removeprefix(prefix) for one in known if one.startswith(prefix)]
    return ", ".join(dict.fromkeys(prefix + name.partition(".")[0] for name in names))


def _explain(problem: Mapping[str, Any], known: list[str]) -> str:
    # pydantic appends the position inside a tuple or a union; the setting's path is the rest
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "unexpected_keyword_argument":
        return no_such_setting(path, known)
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if message != problem["msg"] else f", found {problem['input']!r}"
    return f"{path}: {message}{found}" if path else message


def setting_type(path: str) -> Any:
    """Declared type of the TrialConfig setting at a dotted path."""
    current: Any = plain_form(TrialConfig)
    for name in path.split("."):
        current = get_type_hints(current)[name]
    return current


def is_layer_set(path: str) -> bool:
    """Whether the setting is a set of blocks, which a `subset` parameter can vary."""
    return get_args(setting_type(path)) == (int, ...)
