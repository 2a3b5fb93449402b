"""Every point of a search space, in an order that a restart repeats."""

from collections.abc import Sequence
from itertools import product
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
    values = {path: _values(path, axis) for path, axis in space.axes.items()}
    number = 1
    for choices in values.values():
        number *= len(choices)
    if number > MAX_POINTS:
        raise ConfigError(f"the grid has {number} points; at most {MAX_POINTS} can be run")
    own = space.default_suggestion()
    points = [dict(zip(values, point, strict=True)) for point in product(*values.values())]
    points.sort(key=lambda point: point != own)
    for point in points:
        try:
            space.trial(point)
        except ConfigError as error:
            raise ConfigError(f"the grid's point {point} is impossible: {error}") from None
    return points


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
