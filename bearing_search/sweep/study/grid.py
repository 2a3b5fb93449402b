"""Enumerates the points of a search space, in a reproducible order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, product
from typing import Any

from bearing_search.config import FIRST_SCHEME, TrialConfig, config_digest, to_plain
from bearing_search.errors import ConfigError
from bearing_search.search_space.parameters import (
    BundleParameter,
    ChoiceParameter,
    IntParameter,
    Parameter,
    SubsetParameter,
)
from bearing_search.search_space.space import SearchSpace

MAX_POINTS = 10_000
"""Maximum number of points: a larger grid is assumed to be a mistake."""


def grid_points(space: SearchSpace, scheme: int) -> list[dict[str, Any]]:
    """All suggestions of a space: trial 0's first, then the last parameter varying fastest.

    Points with the same digest are one config, of which only the first point is listed; under
    scheme 1 all are.

    Args:
        space: space whose parameters have a finite number of values.
        scheme: the sweep's digest scheme.

    Raises:
        ConfigError: a parameter has infinitely many values, there are too many points, or the
            settings of a point are incompatible.
    """
    found = list(islice(_points(space, _parameters(space)), MAX_POINTS + 1))
    if len(found) > MAX_POINTS:
        raise ConfigError(f"the grid has more than {MAX_POINTS} points; reduce the search space")
    own = space.default_suggestion()
    points = sorted(found, key=lambda point: point != own)
    configs: list[TrialConfig] = []
    for point in points:
        try:
            configs.append(space.trial(point))
        except ConfigError as error:
            raise ConfigError(f"the grid point {point} is invalid: {error}") from None
    if scheme == FIRST_SCHEME:
        return points
    firsts: dict[str, dict[str, Any]] = {}
    for point, config in zip(points, configs, strict=True):
        firsts.setdefault(config_digest(to_plain(config), scheme), point)
    return list(firsts.values())


def all_digests(space: SearchSpace, scheme: int, *, at_most: int) -> frozenset[str] | None:
    """Digests of all configs of a space; None if it has more than `at_most` points."""
    try:
        parameters = _parameters(space)
    except ConfigError:
        return None
    points = list(islice(_points(space, parameters), at_most + 1))
    if len(points) > at_most:
        return None
    digests = set()
    for point in points:
        with suppress(ConfigError):  # an invalid point is never trained
            digests.add(config_digest(to_plain(space.trial(point)), scheme))
    return frozenset(digests)


class Subsets:
    """Iterates over the non-empty subsets of some layers, as often as it is asked to.

    The empty set is left out, since it is an alias of another subset.
    """

    def __init__(self, members: Sequence[int]) -> None:
        self._members = members

    def __iter__(self) -> Iterator[list[int]]:
        for mask in product([False, True], repeat=len(self._members)):
            if any(mask):
                yield [m for m, is_in in zip(self._members, mask, strict=True) if is_in]


def _parameters(space: SearchSpace) -> dict[str, Iterable[Any]]:
    return {path: _values(path, parameter) for path, parameter in space.parameters.items()}


def _points(
    space: SearchSpace, parameters: Mapping[str, Iterable[Any]]
) -> Iterator[dict[str, Any]]:
    """All suggestions, the last parameter varying fastest."""
    points: Iterator[dict[str, Any]] = iter([{}])
    for path, values in parameters.items():
        points = _spread(space, points, path, values)
    return points


def _spread(
    space: SearchSpace, points: Iterator[dict[str, Any]], path: str, values: Iterable[Any]
) -> Iterator[dict[str, Any]]:
    for point in points:
        if space.is_varied(path, point):
            yield from ({**point, path: value} for value in values)
        else:
            yield point


def _values(path: str, parameter: Parameter) -> Iterable[Any]:
    match parameter:
        case IntParameter():
            return range(parameter.low, parameter.high + 1, parameter.step)
        case ChoiceParameter():
            return parameter.choices
        case BundleParameter():
            return list(parameter.bundles)
        case SubsetParameter():
            return Subsets(parameter.members)
    raise ConfigError(f"{path}: a grid needs discrete values; write {parameter} as choice: [...]")
