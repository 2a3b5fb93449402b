"""Encodes a suggestion as Optuna parameters, and decodes it.

Parameter values are scalars, strings and booleans only, because nothing else survives a restart: a
choice is stored as JSON text, a set of layers as one boolean per layer, a bundle as its name.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from bearing_search.search_space.parameters import (
    BundleParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    SubsetParameter,
)
from bearing_search.search_space.space import SearchSpace


@runtime_checkable
class SuggestApi(Protocol):
    """Source of parameter values: the part of Optuna's `Trial` that a space needs."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """An integer in [low, high]."""
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
        """A float in [low, high]."""
        ...

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of the choices."""
        ...


@contextmanager
def _first_range_wins() -> Iterator[None]:
    """Silence Optuna's warning that a trial drawn before a change of ranges keeps its values."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Inconsistent parameter values", RuntimeWarning)
        yield


@_first_range_wins()
def suggest(space: SearchSpace, drawing: SuggestApi) -> dict[str, Any]:
    """Draw a value for each parameter whose conditions hold, given the earlier ones.

    Drawing again from the same trial gives the same values.
    """
    suggestion: dict[str, Any] = {}
    for path, parameter in space.parameters.items():
        if space.is_varied(path, suggestion):
            suggestion[path] = _drawn(path, parameter, drawing)
    return suggestion


def _drawn(path: str, parameter: Parameter, drawing: SuggestApi) -> Any:
    """A value of one parameter."""
    match parameter:
        case IntParameter():
            return drawing.suggest_int(path, parameter.low, parameter.high, step=parameter.step)
        case FloatParameter():
            return drawing.suggest_float(path, parameter.low, parameter.high, log=parameter.log)
        case ChoiceParameter():
            return json.loads(drawing.suggest_categorical(path, parameter.as_text()))
        case SubsetParameter():
            chosen = [
                member
                for member in parameter.members
                if drawing.suggest_categorical(_member_name(path, member), [False, True])
            ]
            return chosen or list(parameter.empty)
        case BundleParameter():
            return drawing.suggest_categorical(path, list(parameter.bundles))


class FixedParams:
    """A SuggestApi that returns fixed parameters and records their distributions."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """The fixed value of that parameter."""
        return int(self._note(name, IntDistribution(low, high, step=step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The fixed value of that parameter."""
        return float(self._note(name, FloatDistribution(low, high, step=step, log=log)))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """The fixed value of that parameter."""
        return self._note(name, CategoricalDistribution(choices))

    def _note(self, name: str, distribution: BaseDistribution) -> Any:
        self.distributions[name] = distribution
        return self._params[name]


def encode(space: SearchSpace, suggestion: Mapping[str, Any]) -> dict[str, Any]:
    """A suggestion as Optuna parameters, from which `suggest` would draw it again."""
    params: dict[str, Any] = {}
    for path, value in suggestion.items():
        match parameter := space.parameters[path]:
            case ChoiceParameter():
                params[path] = json.dumps(value)
            case SubsetParameter():
                params |= {_member_name(path, m): m in value for m in parameter.members}
            case _:
                params[path] = value
    return params


def _member_name(path: str, member: int) -> str:
    return f"{path}[{member}]"
