"""Search spaces: a base trial and the parameters that a sweep varies."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from bearing_search.config import TrialConfig, parse, to_plain
from bearing_search.errors import ConfigError
from bearing_search.search_space.conditions import Conditions, condition_text, is_active, needed
from bearing_search.search_space.objectives import ObjectiveSpec
from bearing_search.search_space.parameters import BundleParameter, Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A base trial and the parameters in which other trials differ from it."""

    base: Mapping[str, Any]
    """Nested settings that differ from TrialConfig's defaults."""

    parameters: Mapping[str, Parameter]
    """Dotted path of a setting, or name of a bundle parameter -> parameter. In the file's order,
    except that each follows the parameters in its conditions."""

    conditions: Conditions = field(default_factory=dict)
    """When a parameter is varied; parameters that are not listed always are."""

    objective_spec: ObjectiveSpec = field(default_factory=ObjectiveSpec)
    """Objectives and constraints."""

    enqueued: Sequence[Mapping[str, Any]] = ()
    """Suggestions to run before the sampler's, such as settings known to be good."""

    text: str
    """Text of the file; stored in sweep.json."""

    question: str
    """First line of the file without the comment sign; empty if it is not a comment."""

    def trial(self, suggestion: Mapping[str, Any]) -> TrialConfig:
        """The config of a suggestion (dotted path -> value, bundle parameter -> bundle name).

        Settings that it omits have the base's value.

        Raises:
            ConfigError: the settings are inconsistent.
        """
        raw = deepcopy(dict(self.base))
        for path, value in suggestion.items():
            parameter = self.parameters.get(path)
            settings = (
                parameter.bundles[value]
                if isinstance(parameter, BundleParameter)
                else {path: value}
            )
            for setting, content in settings.items():
                _put(raw, setting, content)
        return parse(TrialConfig, raw)

    def default_suggestion(self) -> dict[str, Any]:
        """Trial 0: the base's values, and for bundle parameters the bundle that equals the base.

        If no bundle equals the base, the first one is used.

        Raises:
            ConfigError: a value of the base is outside its parameter.
        """
        return self.completed({})

    def completed(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """A suggestion with `chosen` and the base's values for all other active parameters.

        Raises:
            ConfigError: a parameter is unknown or inactive, or a value is outside its parameter.
        """
        for path in chosen:
            if path not in self.parameters:
                raise ConfigError(
                    f"{path} is not a parameter; the parameters are {', '.join(self.parameters)}"
                )
        return self._completed(chosen, {})

    def _completed(self, chosen: Mapping[str, Any], own: dict[str, Any]) -> dict[str, Any]:
        """`completed`; the base's values are looked up in `own`, and added there."""
        suggestion: dict[str, Any] = {}
        for path, parameter in self.parameters.items():
            if not self.is_varied(path, suggestion):
                if path in chosen:
                    condition = condition_text(self.conditions, path)
                    raise ConfigError(f"{path} is not varied there, only{condition}")
            elif path not in chosen:
                if path not in own:
                    own[path] = self._own_value(path)
                suggestion[path] = own[path]
            else:
                try:
                    suggestion[path] = parameter.snap(chosen[path])
                except ConfigError as error:
                    raise ConfigError(f"{path} is {json.dumps(chosen[path])}, {error}") from None
        return suggestion

    def is_varied(self, path: str, suggestion: Mapping[str, Any]) -> bool:
        """Whether a parameter's conditions hold, given the values of the preceding parameters."""
        return is_active(self.conditions, path, suggestion)

    def extremes(self, path: str) -> list[dict[str, Any]]:
        """Suggestions to validate before a sweep starts: extremes of one parameter around the base.

        Raises:
            ConfigError: its conditions never hold.
        """
        base: dict[str, Any] = {}
        own, others = self._completed({}, base), {}
        for other, values in needed(self.conditions, path).items():
            if not values:
                raise ConfigError(f"{path}: its conditions, and theirs, are never met together")
            others[other] = own[other] if own.get(other) in values else values[0]
        return [
            self._completed(others | {path: value}, base)
            for value in self.parameters[path].extremes()
        ]

    def with_setting(self, path: str, value: Any) -> "SearchSpace":
        """A copy with one setting of the base replaced; `text` is unchanged.

        Raises:
            ConfigError: the setting is varied, or is inconsistent with the base.
        """
        if path in self.varied_settings:
            raise ConfigError(f"{path}: the space varies it, so it cannot be fixed as well")
        replace(self, parameters={}).trial({path: value})
        base = deepcopy(dict(self.base))
        _put(base, path, value)
        return replace(self, base=base)

    @property
    def varied_settings(self) -> list[str]:
        """Dotted paths of all varied settings; duplicates if two parameters set the same."""
        return [
            path
            for name, parameter in self.parameters.items()
            for path in (parameter.paths if isinstance(parameter, BundleParameter) else [name])
        ]

    def _own_value(self, path: str) -> Any:
        """The base's value of a parameter."""
        base = parse(TrialConfig, self.base)
        parameter = self.parameters[path]
        if isinstance(parameter, BundleParameter):
            return self._own_bundle(path, parameter, base)
        value: Any = to_plain(base)
        for name in path.split("."):
            value = value[name]
        try:
            return parameter.snap(value)
        except ConfigError as error:
            raise ConfigError(
                f"{path}: the base has {json.dumps(value)}, {error}; trial 0 runs the base, so "
                f"widen the parameter or set {path} in base"
            ) from None

    def _own_bundle(self, name: str, parameter: BundleParameter, base: TrialConfig) -> str:
        for bundle in parameter.bundles:
            try:
                if self.trial({name: bundle}) == base:
                    return bundle
            except ConfigError:
                continue  # may need another value of another parameter; all are validated later
        return next(iter(parameter.bundles))


def _put(raw: dict[str, Any], path: str, value: Any) -> None:
    *sections, name = path.split(".")
    for section in sections:
        raw = raw.setdefault(section, {})
    raw[name] = value
