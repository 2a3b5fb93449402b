"""Conditional parameters: `when` in a search-space file.

A parameter whose conditions do not hold is not sampled; its setting keeps the base's value.
"""

import json
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from bearing_search.errors import ConfigError
from bearing_search.search_space.parameters import FloatParameter, Parameter

Conditions = Mapping[str, Mapping[str, Sequence[Any]]]
"""Parameter -> other parameter -> allowed values of that one; all of a parameter's conditions must
hold."""

WHEN = "when"


def without_when(spec: Any) -> Any:
    """An entry of `vary` without its `when`."""
    if not isinstance(spec, Mapping):
        return spec
    return {key: value for key, value in spec.items() if key != WHEN}


def conditions_of(parameters: Mapping[str, Parameter], specs: Mapping[str, Any]) -> Conditions:
    """The conditions in the entries of `vary`.

    Raises:
        ConfigError: `when` names an unknown or continuous parameter, or a value that it cannot
            take.
    """
    return {
        path: _read(path, spec[WHEN], parameters)
        for path, spec in specs.items()
        if isinstance(spec, Mapping) and WHEN in spec
    }


def topological_order(
    parameters: Mapping[str, Parameter], conditions: Conditions
) -> dict[str, Parameter]:
    """The parameters in the file's order, except that each follows those in its conditions.

    Raises:
        ConfigError: conditions are circular.
    """
    places = list(parameters)
    sorter = TopologicalSorter({path: conditions.get(path, {}) for path in parameters})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = error.args[1][:0:-1]  # each depends on the next
        first = circle.index(min(circle, key=places.index))
        names = ", ".join(circle[first:] + circle[:first])
        raise ConfigError(f"when: {names} depend on each other") from None
    ordered: dict[str, Parameter] = {}
    ready: set[str] = set()
    while sorter.is_active():
        ready |= set(sorter.get_ready())
        path = min(ready, key=places.index)
        ordered[path] = parameters[path]
        ready.remove(path)
        sorter.done(path)
    return ordered


def is_active(conditions: Conditions, path: str, suggestion: Mapping[str, Any]) -> bool:
    """Whether a parameter's conditions hold for the values in `suggestion`."""
    return all(
        other in suggestion and _is_among(suggestion[other], values)
        for other, values in conditions.get(path, {}).items()
    )


def needed(conditions: Conditions, path: str) -> dict[str, list[Any]]:
    """Other parameter -> values under which `path` is varied; an empty list means never."""
    found: dict[str, list[Any]] = {}
    todo = [path]
    while todo:
        for other, values in conditions.get(todo.pop(), {}).items():
            found[other] = [v for v in found.get(other, list(values)) if _is_among(v, values)]
            todo.append(other)
    return found


def condition_text(conditions: Conditions, path: str) -> str:
    """Text such as ` when detector is "dinomaly"`; empty if the parameter is always varied."""
    shown = [
        f"{other} is {' or '.join(map(json.dumps, values))}"
        for other, values in conditions.get(path, {}).items()
    ]
    return f" when {' and '.join(shown)}" if shown else ""


def _read(path: str, when: Any, parameters: Mapping[str, Parameter]) -> dict[str, list[Any]]:
    if not isinstance(when, Mapping) or not when:
        raise ConfigError(
            f"{path}: when must map other parameters to values, as in {{detector: padim}}"
        )
    found = {}
    for other, listed in when.items():
        if other not in parameters:
            raise ConfigError(
                f"{path}: when names {other}, which is not a parameter; the parameters are "
                f"{', '.join(parameters)}"
            )
        parameter = parameters[other]
        if isinstance(parameter, FloatParameter):
            raise ConfigError(
                f"{path}: when names {other}, which is {parameter}; it must have discrete values"
            )
        values = listed if isinstance(listed, list) and listed else [listed]
        try:
            found[other] = [parameter.snap(value) for value in values]
        except ConfigError as error:
            raise ConfigError(
                f"{path}: when {other} is {json.dumps(listed, default=str)}, {error}"
            ) from None
    return found


def _is_among(value: Any, values: Sequence[Any]) -> bool:
    # compared as JSON, because True == 1 in Python
    return json.dumps(value) in map(json.dumps, values)
