"""Every point of a search space, in an order that a restart repeats."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, product
from typing import Any

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
"""More points than this are no design but a mistake."""


def grid_points(space: SearchSpace) -> list[dict[str, Any]]:
    """All suggestions of a space: trial 0's first, then the last axis turning fastest.

    Raises:
        ConfigError: an axis has no finite number of values, there are too many points, or the
            settings of a point do not go together.
    """
    found = list(islice(_points(space, _axes(space)), MAX_POINTS + 1))
    if len(found) > MAX_POINTS:
        raise ConfigError(f"the grid has more than {MAX_POINTS} points, which is no design")
    own = space.default_suggestion()
    points = sorted(found, key=lambda point: point != own)
    for point in points:
        try:
            space.trial(point)
        except ConfigError as error:
            raise ConfigError(f"the grid's point {point} is impossible: {error}") from None
    return points


def all_digests(space: SearchSpace, *, at_most: int) -> frozenset[str] | None:
    """Digests of all configs of a space; None where there are more, or any number of them."""
    try:
        axes = _axes(space)
    except ConfigError:
        return None
    points = list(islice(_points(space, axes), at_most + 1))
    if len(points) > at_most:
        return None
    digests = set()
    for point in points:
        with suppress(ConfigError):  # an impossible point is never trained
            digests.add(space.trial(point).digest)
    return frozenset(digests)


def _axes(space: SearchSpace) -> dict[str, Sequence[Any]]:
    return {path: _values(path, axis) for path, axis in space.parameters.items()}


def _points(space: SearchSpace, axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """All suggestions, the last axis turning fastest."""
    points: Iterator[dict[str, Any]] = iter([{}])
    for path, values in axes.items():
        points = _spread(space, points, path, values)
    return points


def _spread(
    space: SearchSpace, points: Iterator[dict[str, Any]], path: str, values: Sequence[Any]
) -> Iterator[dict[str, Any]]:
    for point in points:
        if space.is_varied(path, point):
            yield from ({**point, path: value} for value in values)
        else:
            yield point


def _values(path: str, axis: Parameter) -> Sequence[Any]:
    match axis:
        case IntParameter():
            return range(axis.low, axis.high + 1, axis.step)
        case ChoiceParameter():
            return axis.choices
        case BundleParameter():
            return list(axis.bundles)
        case SubsetParameter():
            # the empty set is left out: it stands for one of the others
            masks = product([False, True], repeat=len(axis.members))
            sets = [
                [m for m, is_in in zip(axis.members, mask, strict=True) if is_in] for mask in masks
            ]
            return [layers for layers in sets if layers]
    raise ConfigError(f"{path}: a grid needs single values; write {axis} as choice: [...]")
