"""Every point of a search space, in an order that a restart repeats."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from math import prod
from typing import Any

from bearing_search.axes import Axis, BundleAxis, ChoiceAxis, IntAxis, SubsetAxis
from bearing_search.errors import ConfigError
from bearing_search.space import SearchSpace

MAX_POINTS = 10_000
"""More points than this are no design but a mistake."""


def grid_points(space: SearchSpace) -> list[dict[str, Any]]:
    """All suggestions of a space: trial 0's first, then the last axis turning fastest.

    Raises:
        ConfigError: an axis has no finite number of values, there are too many points, or the
            settings of a point do not go together.
    """
    axes = _axes(space)
    if (number := prod(map(len, axes.values()))) > MAX_POINTS:
        raise ConfigError(f"the grid has {number} points; at most {MAX_POINTS} can be run")
    own = space.default_suggestion()
    points = sorted(_points(axes), key=lambda point: point != own)
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
    if prod(map(len, axes.values())) > at_most:
        return None
    digests = set()
    for point in _points(axes):
        with suppress(ConfigError):  # an impossible point is never trained
            digests.add(space.trial(point).digest)
    return frozenset(digests)


def _axes(space: SearchSpace) -> dict[str, Sequence[Any]]:
    return {path: _values(path, axis) for path, axis in space.axes.items()}


def _points(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for point in product(*axes.values()):
        yield dict(zip(axes, point, strict=True))


def _values(path: str, axis: Axis) -> Sequence[Any]:
    match axis:
        case IntAxis():
            return range(axis.low, axis.high + 1, axis.step)
        case ChoiceAxis():
            return axis.choices
        case BundleAxis():
            return list(axis.bundles)
        case SubsetAxis():
            # the empty set is left out: it stands for one of the others
            masks = product([False, True], repeat=len(axis.members))
            sets = [
                [m for m, is_in in zip(axis.members, mask, strict=True) if is_in] for mask in masks
            ]
            return [layers for layers in sets if layers]
    raise ConfigError(f"{path}: a grid needs single values; write {axis} as choice: [...]")
