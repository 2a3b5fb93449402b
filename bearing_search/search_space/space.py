"""Search spaces: what a sweep varies, around one fixed trial."""

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
    """A fixed trial and the parameters along which others differ from it."""

    base: Mapping[str, Any]
    """Nested settings that differ from TrialConfig's defaults."""

    parameters: Mapping[str, Parameter]
    """Dotted path of a setting, or the name of a bundle parameter -> parameter, in the file's
    order, but each after the parameters that its conditions name."""

    conditions: Conditions = field(default_factory=dict)
    """When a parameter is varied; a parameter that is not here always is."""

    objective_spec: ObjectiveSpec = field(default_factory=ObjectiveSpec)
    """What is asked for."""

    enqueued: Sequence[Mapping[str, Any]] = ()
    """Suggestions that are run before the sampler draws: what somebody already believes in."""

    text: str
    """The file as it was read; kept in sweep.json."""

    question: str
    """The file's first line, without the comment sign; empty where it is no comment."""

    def trial(self, suggestion: Mapping[str, Any]) -> TrialConfig:
        """The config of a suggestion (dotted path -> value, bundle parameter -> bundle's name).

        What it leaves out has the base's value.

        Raises:
            ConfigError: the settings do not go together.
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
        """Trial 0: the base's own values; of a bundle parameter, the bundle that the base equals.

        Where the base equals none of the bundles, the first one it is.

        Raises:
            ConfigError: a value of the base lies outside its parameter.
        """
        return self.completed({})

    def completed(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """These values, and the base's own on all other parameters that are varied beside them.

        Raises:
            ConfigError: a parameter is unknown or not varied there, or a value lies outside its
                parameter.
        """
        for path in chosen:
            if path not in self.parameters:
                raise ConfigError(
                    f"{path} is no parameter; the parameters are {', '.join(self.parameters)}"
                )
        suggestion: dict[str, Any] = {}
        for path, parameter in self.parameters.items():
            if not self.is_varied(path, suggestion):
                if path in chosen:
                    condition = condition_text(self.conditions, path)
                    raise ConfigError(f"{path} is not varied there, only{condition}")
            elif path not in chosen:
                suggestion[path] = self._own_value(path)
            else:
                try:
                    suggestion[path] = parameter.snap(chosen[path])
                except ConfigError as error:
                    raise ConfigError(f"{path} is {json.dumps(chosen[path])}, {error}") from None
        return suggestion

    def is_varied(self, path: str, suggestion: Mapping[str, Any]) -> bool:
        """Whether the conditions of a parameter hold, given the parameters before it."""
        return is_active(self.conditions, path, suggestion)

    def extremes(self, path: str) -> list[dict[str, Any]]:
        """What to try of a parameter before anything starts: suggestions around the base's own.

        Raises:
            ConfigError: its conditions never hold.
        """
        own, others = self.default_suggestion(), {}
        for other, values in needed(self.conditions, path).items():
            if not values:
                raise ConfigError(f"{path}: its conditions, and theirs, never hold together")
            others[other] = own[other] if own.get(other) in values else values[0]
        return [
            self.completed(others | {path: value}) for value in self.parameters[path].extremes()
        ]

    def with_setting(self, path: str, value: Any) -> "SearchSpace":
        """The same space around a base with one setting replaced; its text stays the file's.

        Raises:
            ConfigError: the setting is one of the parameters, or does not go with the base.
        """
        if path in self.varied_settings:
            raise ConfigError(f"{path}: the space varies it, so it cannot be fixed as well")
        replace(self, parameters={}).trial({path: value})
        base = deepcopy(dict(self.base))
        _put(base, path, value)
        return replace(self, base=base)

    @property
    def varied_settings(self) -> list[str]:
        """Dotted paths of all settings that some parameter sets; more than once where two
        parameters do."""
        return [
            path
            for name, parameter in self.parameters.items()
            for path in (parameter.paths if isinstance(parameter, BundleParameter) else [name])
        ]

    def _own_value(self, path: str) -> Any:
        """What the base has on a parameter."""
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
                f"{path}: the base has {json.dumps(value)}, {error}; trial 0 is the base's own "
                f"setting, so widen the parameter or set {path} in base"
            ) from None

    def _own_bundle(self, name: str, parameter: BundleParameter, base: TrialConfig) -> str:
        for bundle in parameter.bundles:
            try:
                if self.trial({name: bundle}) == base:
                    return bundle
            except ConfigError:
                continue  # it may go with another parameter's values only; all are tried later
        return next(iter(parameter.bundles))


def _put(raw: dict[str, Any], path: str, value: Any) -> None:
    *sections, name = path.split(".")
    for section in sections:
        raw = raw.setdefault(section, {})
    raw[name] = value
