"""Search spaces: what a sweep varies (`vary`), around one fixed trial (`base`).

A space is data: two mappings and nothing else. Values reach the sampler as scalars, strings and
booleans only, because nothing else survives a restart: a choice travels as JSON text, a set of
layers as one boolean per layer (`encode`, `suggest`).
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import yaml

from bearing_search.axes import Axis, ChoiceAxis, FloatAxis, IntAxis, SubsetAxis, read_axis
from bearing_search.config import (
    TrialConfig,
    config_paths,
    is_layer_set,
    no_such_setting,
    parse,
    setting_type,
    to_plain,
)
from bearing_search.errors import ConfigError

FROZEN_SECTIONS = ("protocol", "split")
"""Sections no axis may vary: a better score under another ruler or fold plan is no better model."""


@runtime_checkable
class Drawing(Protocol):
    """Where values come from: the part of Optuna's trial that a space needs."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """An integer of [low, high]."""
        ...

    def suggest_float(
        self,
        name: str,
        low: float,
        high: float,
        *,
        step: float | None = None,
        log: bool = False,
    ) -> float:
        """A float of [low, high]."""
        ...

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of the choices."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A fixed trial and the axes along which others differ from it."""

    base: Mapping[str, Any]
    """Nested settings that differ from TrialConfig's defaults."""

    axes: Mapping[str, Axis]
    """Dotted path of a setting -> its axis, in the file's order."""

    text: str
    """The file as it was read; kept in sweep.json."""

    question: str
    """The file's first line, without the comment sign; empty where it is no comment."""

    def trial(self, suggestion: Mapping[str, Any]) -> TrialConfig:
        """The config of a suggestion (dotted path -> value).

        Raises:
            ConfigError: the settings do not go together.
        """
        raw = deepcopy(dict(self.base))
        for path, value in suggestion.items():
            *sections, name = path.split(".")
            target = raw
            for section in sections:
                target = target.setdefault(section, {})
            target[name] = value
        return parse(TrialConfig, raw)

    def default_suggestion(self) -> dict[str, Any]:
        """The base's own values along every axis: trial 0.

        Raises:
            ConfigError: a value of the base lies outside its axis.
        """
        plain = to_plain(parse(TrialConfig, self.base))
        suggestion = {}
        for path, axis in self.axes.items():
            value: Any = plain
            for name in path.split("."):
                value = value[name]
            try:
                suggestion[path] = axis.snap(value)
            except ConfigError as error:
                raise ConfigError(
                    f"{path}: the base has {json.dumps(value)}, {error}; trial 0 is the base's own "
                    f"setting, so widen the axis or set {path} in base"
                ) from None
        return suggestion

    def with_setting(self, path: str, value: Any) -> "SearchSpace":
        """The same space around a base with one setting replaced; its text stays the file's.

        Raises:
            ConfigError: the setting is one of the axes, or does not go with the base.
        """
        if path in self.axes:
            raise ConfigError(f"{path}: the space varies it, so it cannot be fixed as well")
        bare = SearchSpace(base=self.base, axes={}, text=self.text, question=self.question)
        bare.trial({path: value})
        base = deepcopy(dict(self.base))
        *sections, name = path.split(".")
        target = base
        for section in sections:
            target = target.setdefault(section, {})
        target[name] = value
        return SearchSpace(base=base, axes=self.axes, text=self.text, question=self.question)


def suggest(space: SearchSpace, drawing: Drawing) -> dict[str, Any]:
    """Draw one value per axis; drawing again from the same trial gives the same values."""
    suggestion: dict[str, Any] = {}
    for path, axis in space.axes.items():
        match axis:
            case IntAxis():
                suggestion[path] = drawing.suggest_int(path, axis.low, axis.high, step=axis.step)
            case FloatAxis():
                suggestion[path] = drawing.suggest_float(path, axis.low, axis.high, log=axis.log)
            case ChoiceAxis():
                suggestion[path] = json.loads(drawing.suggest_categorical(path, axis.as_text()))
            case SubsetAxis():
                chosen = [
                    member
                    for member in axis.members
                    if drawing.suggest_categorical(_member_name(path, member), [False, True])
                ]
                suggestion[path] = chosen or list(axis.empty)
    return suggestion


def encode(space: SearchSpace, suggestion: Mapping[str, Any]) -> dict[str, Any]:
    """A suggestion in the sampler's own names and values: what `suggest` would draw it from."""
    params: dict[str, Any] = {}
    for path, axis in space.axes.items():
        value = suggestion[path]
        match axis:
            case ChoiceAxis():
                params[path] = json.dumps(value)
            case SubsetAxis():
                params |= {_member_name(path, m): m in value for m in axis.members}
            case _:
                params[path] = value
    return params


def load_search_space(file: Path) -> SearchSpace:
    """Read a search-space file; both ends of every axis are tried before anything starts.

    Raises:
        ConfigError: the file cannot be read, is no space, or names an unknown or impossible
            setting.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{file}: cannot read the search space: {reason}") from None
    return parse_search_space(text, str(file))


def parse_search_space(text: str, source: str) -> SearchSpace:
    """Read a search space from its text; `source` names it in errors.

    Raises:
        ConfigError: as `load_search_space`.
    """
    try:
        return _parse(text)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}, line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {error}") from None


def _parse(text: str) -> SearchSpace:
    match yaml.load(text, Loader=_UniqueKeys):  # a SafeLoader
        case {"base": dict(base), "vary": dict(vary), **rest} if not rest and vary:
            pass
        case _:
            raise ConfigError(
                "expected two mappings, base (may be {}) and vary (at least one axis), "
                "and nothing else"
            )
    parse(TrialConfig, base)
    space = SearchSpace(
        base=base,
        axes={path: _axis(path, spec) for path, spec in vary.items()},
        text=text,
        question=text.partition("\n")[0].lstrip("# ").strip() if text.startswith("#") else "",
    )
    own = space.default_suggestion()
    for path, axis in space.axes.items():
        for value in axis.extremes():
            space.trial({**own, path: value})
    return space


def _axis(path: Any, spec: Any) -> Axis:
    known = config_paths(TrialConfig)
    if path not in known:
        raise ConfigError(f"cannot vary {no_such_setting(str(path), known)}")
    if path.split(".")[0] in FROZEN_SECTIONS:
        raise ConfigError(f"cannot vary {path}: scores would no longer be comparable")
    try:
        axis = read_axis(spec)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if isinstance(axis, FloatAxis) and setting_type(path) is int:
        raise ConfigError(f"{path}: it is a whole number; use int: [low, high]")
    if isinstance(axis, SubsetAxis) and not is_layer_set(path):
        raise ConfigError(f"{path}: it is no set of layers; subset cannot vary it")
    return axis


def _member_name(path: str, member: int) -> str:
    return f"{path}[{member}]"


class _UniqueKeys(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader's, refusing a key that appears twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise ConfigError(f"{key} appears twice")
        return super().construct_mapping(node, deep=deep)
