"""Search spaces: what a sweep varies (`vary`), around one fixed trial (`base`).

A space is data: two mappings and nothing else.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bearing_search.axes import Axis, BundleAxis, FloatAxis, SubsetAxis, read_axis
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

_BUNDLE_AXIS_NAME = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A fixed trial and the axes along which others differ from it."""

    base: Mapping[str, Any]
    """Nested settings that differ from TrialConfig's defaults."""

    axes: Mapping[str, Axis]
    """Dotted path of a setting, or the name of a bundle axis -> axis, in the file's order."""

    text: str
    """The file as it was read; kept in sweep.json."""

    question: str
    """The file's first line, without the comment sign; empty where it is no comment."""

    def trial(self, suggestion: Mapping[str, Any]) -> TrialConfig:
        """The config of a suggestion (dotted path -> value, bundle axis -> bundle's name).

        Raises:
            ConfigError: the settings do not go together.
        """
        raw = deepcopy(dict(self.base))
        for path, value in suggestion.items():
            axis = self.axes.get(path)
            settings = axis.bundles[value] if isinstance(axis, BundleAxis) else {path: value}
            for setting, content in settings.items():
                _put(raw, setting, content)
        return parse(TrialConfig, raw)

    def default_suggestion(self) -> dict[str, Any]:
        """Trial 0: the base's own values, and of a bundle axis the bundle that the base equals.

        Where the base equals none of the bundles, the first one it is.

        Raises:
            ConfigError: a value of the base lies outside its axis.
        """
        base = parse(TrialConfig, self.base)
        plain = to_plain(base)
        suggestion: dict[str, Any] = {}
        for path, axis in self.axes.items():
            if isinstance(axis, BundleAxis):
                suggestion[path] = self._own_bundle(path, axis, base)
                continue
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
        if path in self.varied_settings:
            raise ConfigError(f"{path}: the space varies it, so it cannot be fixed as well")
        replace(self, axes={}).trial({path: value})
        base = deepcopy(dict(self.base))
        _put(base, path, value)
        return replace(self, base=base)

    @property
    def varied_settings(self) -> list[str]:
        """Dotted paths of all settings that some axis sets; more than once where two axes do."""
        return [
            path
            for name, axis in self.axes.items()
            for path in (axis.paths if isinstance(axis, BundleAxis) else [name])
        ]

    def _own_bundle(self, name: str, axis: BundleAxis, base: TrialConfig) -> str:
        for bundle in axis.bundles:
            try:
                if self.trial({name: bundle}) == base:
                    return bundle
            except ConfigError:
                continue  # it may go with another axis's values only; every bundle is tried later
        return next(iter(axis.bundles))


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
    for path, count in Counter(space.varied_settings).items():
        if count > 1:
            raise ConfigError(f"{path}: {count} axes set it; a setting belongs to one axis")
    own = space.default_suggestion()
    for path, axis in space.axes.items():
        tried = [space.trial({**own, path: value}) for value in axis.extremes()]
        if isinstance(axis, BundleAxis):
            _refuse_twins(path, axis, tried)
    return space


def _axis(path: Any, spec: Any) -> Axis:
    try:
        axis = read_axis(spec)
    except ConfigError as error:
        if not (isinstance(spec, Mapping) and "bundle" in spec):
            _check_setting(path)  # a mistyped name is the likelier mistake
        raise ConfigError(f"{path}: {error}") from None
    if isinstance(axis, BundleAxis):
        _check_bundle_name(path)
        for setting in axis.paths:
            _check_setting(setting, of=f"{path}: ")
        return axis
    _check_setting(path)
    if isinstance(axis, FloatAxis) and setting_type(path) is int:
        raise ConfigError(f"{path}: it is a whole number; use int: [low, high]")
    if isinstance(axis, SubsetAxis) and not is_layer_set(path):
        raise ConfigError(f"{path}: it is no set of layers; subset cannot vary it")
    return axis


def _check_setting(path: Any, *, of: str = "") -> None:
    known = config_paths(TrialConfig)
    if path not in known:
        raise ConfigError(f"{of}cannot vary {no_such_setting(str(path), known)}")
    if path.split(".")[0] in FROZEN_SECTIONS:
        raise ConfigError(f"{of}cannot vary {path}: scores would no longer be comparable")


def _check_bundle_name(name: Any) -> None:
    if not isinstance(name, str) or not _BUNDLE_AXIS_NAME.fullmatch(name):
        raise ConfigError(
            f"{name}: no name for a bundle axis; letters, digits, dash and underscore, "
            "beginning with a letter"
        )
    if any(path == name or path.startswith(f"{name}.") for path in config_paths(TrialConfig)):
        raise ConfigError(f"{name}: a bundle axis needs a name of its own; this is a setting's")


def _refuse_twins(path: str, axis: BundleAxis, tried: Sequence[TrialConfig]) -> None:
    names: dict[str, str] = {}
    for name, config in zip(axis.bundles, tried, strict=True):
        if (twin := names.setdefault(config.digest, name)) != name:
            raise ConfigError(f"{path}: bundles {twin} and {name} are the same settings")


def _put(raw: dict[str, Any], path: str, value: Any) -> None:
    *sections, name = path.split(".")
    for section in sections:
        raw = raw.setdefault(section, {})
    raw[name] = value


class _UniqueKeys(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader's, refusing a key that appears twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise ConfigError(f"{key} appears twice")
        return super().construct_mapping(node, deep=deep)
