"""Search spaces: what a sweep varies (`vary`), around one fixed trial (`base`).

A space is data: two mappings, and perhaps a list of settings to begin with (`enqueue`).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bearing_search.axes import Axis, BundleAxis
from bearing_search.axis_file import UniqueKeys, axis_of
from bearing_search.config import TrialConfig, parse, to_plain
from bearing_search.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A fixed trial and the axes along which others differ from it."""

    base: Mapping[str, Any]
    """Nested settings that differ from TrialConfig's defaults."""

    axes: Mapping[str, Axis]
    """Dotted path of a setting, or the name of a bundle axis -> axis, in the file's order."""

    enqueued: Sequence[Mapping[str, Any]] = ()
    """Suggestions that are run before the sampler draws: what somebody already believes in."""

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
    match yaml.load(text, Loader=UniqueKeys):  # a SafeLoader
        case {"base": dict(base), "vary": dict(vary), **rest} if vary and set(rest) <= {"enqueue"}:
            pass
        case _:
            raise ConfigError(
                "expected two mappings, base (may be {}) and vary (at least one axis), perhaps a "
                "list enqueue, and nothing else"
            )
    parse(TrialConfig, base)
    space = SearchSpace(
        base=base,
        axes={path: axis_of(path, spec) for path, spec in vary.items()},
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
    return replace(space, enqueued=_enqueued(space, rest.get("enqueue", [])))


def _enqueued(space: SearchSpace, listed: Any) -> list[dict[str, Any]]:
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise ConfigError("enqueue: expected a list of settings, as in [{finetune.epochs: 40}]")
    suggestions = []
    for number, entry in enumerate(listed, start=1):
        suggestion = space.default_suggestion()
        for path, value in entry.items():
            if path not in space.axes:
                raise ConfigError(
                    f"enqueue {number}: {path} is no axis; the axes are {', '.join(space.axes)}"
                )
            try:
                suggestion[path] = space.axes[path].snap(value)
            except ConfigError as error:
                raise ConfigError(
                    f"enqueue {number}: {path} is {json.dumps(value)}, {error}"
                ) from None
        try:
            space.trial(suggestion)
        except ConfigError as error:
            raise ConfigError(f"enqueue {number}: {error}") from None
        suggestions.append(suggestion)
    return suggestions


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
