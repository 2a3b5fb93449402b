"""CGCM: chooses the part's circle among the candidates of an image, and the ring around it.

Lengths are pixels of the original image. Axis letters: h, w rows and columns.
Source: paper, section 3.1.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from bearing_search.config import CircleConfig
from bearing_search.errors import RoiNotFoundError
from bearing_search.preprocess.shapes import Circle, outside_share

CLEAR_EDGE = 0.7
"""Minimum coverage, as a share of the best, of a clear edge; shadows and reflections have less."""

CLEAR_LEAD = 0.1
"""Two separate circles count as equally central when their distances to the image's centre differ
by less than this share of the radius."""


def best_guess(
    candidates: Sequence[Circle], config: CircleConfig, *, width: int, height: int
) -> Circle | None:
    """The part's likely circle while the mean radius is still unknown (first pass); None: none.

    The largest inside the image of those whose edges are nearly as complete as the best one's: the
    outline encloses everything else on a part that is round.
    """
    inside = _inside(candidates, config, width, height)
    if not inside:
        return None
    needed = CLEAR_EDGE * max(circle.coverage for circle in inside)
    return max((c for c in inside if c.coverage >= needed), key=lambda c: c.radius)


def choose_circle(
    candidates: Sequence[Circle],
    config: CircleConfig,
    *,
    mean_radius_px: float,
    width: int,
    height: int,
    image: str,
) -> Circle:
    """The most central of the `top_k` largest circles of plausible radius (second pass).

    Nested circles count as one part, represented by the outermost: the inner and outer edges of a
    ring share a centre to a fraction of a pixel, so their distance to the image's centre alone
    would decide at random. So if the outermost has a radius above the plausible ones, the others
    are edges inside the part, and none is chosen. The paper does not mention these cases.

    Args:
        candidates: detected circles, in any order.
        mean_radius_px: r_mean.
        width: of the image.
        height: of the image.
        image: name shown in the error.

    Raises:
        RoiNotFoundError: no circle inside the image has a plausible radius, two separate circles
            are equally central, or a larger circle encloses the chosen one.
    """
    low = mean_radius_px - config.radius_tolerance_px
    high = mean_radius_px + config.radius_tolerance_px
    in_band = [c for c in candidates if low <= c.radius <= high]
    plausible = _inside(in_band, config, width, height)
    if not plausible:
        raise RoiNotFoundError(_why_none(candidates, in_band, config, mean_radius_px, image))
    needed = CLEAR_EDGE * max(circle.coverage for circle in plausible)
    clear = [c for c in plausible if c.coverage >= needed]
    largest = sorted(clear, key=lambda c: c.radius, reverse=True)[: config.top_k]
    outermost = [c for c in largest if not any(_is_within(c, other) for other in largest)]
    centre = ((width - 1) / 2, (height - 1) / 2)
    ordered = sorted(outermost, key=lambda c: _off_centre(c, centre))
    if len(ordered) > 1:
        lead = _off_centre(ordered[1], centre) - _off_centre(ordered[0], centre)
        if lead < CLEAR_LEAD * ordered[0].radius and _are_apart(ordered[0], ordered[1]):
            raise RoiNotFoundError(
                f"{image}: two circles are equally close to the centre: {ordered[0]} and "
                f"{ordered[1]}. Photograph one part at a time, or crop the image to it."
            )
    larger = [c for c in candidates if c.radius > high and _is_outline_of(c, ordered[0])]
    if larger:
        raise RoiNotFoundError(_why_too_large(larger, ordered[0], config, mean_radius_px, image))
    return ordered[0]


def closest_circle(candidates: Sequence[Circle], mean_radius_px: float) -> Circle | None:
    """The candidate whose radius is closest to the mean; shown where none was chosen."""
    if not candidates:
        return None
    return min(candidates, key=lambda c: abs(c.radius - mean_radius_px))


def ring_mask(
    side: int, centre: tuple[float, float], inner: float, outer: float
) -> Bool[np.ndarray, "h w"]:
    """Pixels of a square between two radii, both included.

    Args:
        side: of the square.
        centre: x, y in pixels of the square.
        inner: c_inner; 0 or less gives a full disc.
        outer: c_outer.
    """
    steps = np.arange(side)
    across = ((steps - centre[0]) ** 2).astype(np.float32)
    down = ((steps - centre[1]) ** 2).astype(np.float32)
    squares = down[:, None] + across[None, :]
    mask: Bool[np.ndarray, "h w"] = squares <= outer**2
    if inner > 0:
        mask &= squares >= inner**2
    return mask


def _inside(
    candidates: Sequence[Circle], config: CircleConfig, width: int, height: int
) -> list[Circle]:
    return [c for c in candidates if outside_share(c, width, height) <= config.max_outside_share]


def _is_within(inner: Circle, outer: Circle) -> bool:
    apart = math.hypot(inner.x - outer.x, inner.y - outer.y)
    return inner.radius < outer.radius and apart + inner.radius <= 1.05 * outer.radius


def _is_outline_of(outer: Circle, inner: Circle) -> bool:
    """Whether `outer` has a clear edge and encloses `inner`; it may extend beyond the image."""
    return outer.coverage >= CLEAR_EDGE * inner.coverage and _is_within(inner, outer)


def _are_apart(one: Circle, other: Circle) -> bool:
    return math.hypot(one.x - other.x, one.y - other.y) > 0.5 * (one.radius + other.radius)


def _off_centre(circle: Circle, centre: tuple[float, float]) -> float:
    return math.hypot(circle.x - centre[0], circle.y - centre[1])


def _why_too_large(
    larger: Sequence[Circle],
    chosen: Circle,
    config: CircleConfig,
    mean_radius_px: float,
    image: str,
) -> str:
    outline = max(larger, key=lambda c: c.radius)
    tolerance = config.radius_tolerance_px
    return (
        f"{image}: the {outline} encloses the {chosen}, so that one is an edge inside the part, "
        f"although its radius is within {mean_radius_px - tolerance:.0f} to "
        f"{mean_radius_px + tolerance:.0f} px. Photograph all parts at one scale, or widen "
        f"preprocess.circle.radius_tolerance_px, now {tolerance:g}."
    )


def _why_none(
    candidates: Sequence[Circle],
    in_band: Sequence[Circle],
    config: CircleConfig,
    mean_radius_px: float,
    image: str,
) -> str:
    if in_band:
        return (
            f"{image}: the {in_band[0]} extends beyond the image. Photograph the whole part, or "
            f"raise preprocess.circle.max_outside_share, now {config.max_outside_share:g}."
        )
    tolerance = config.radius_tolerance_px
    wanted = f"{image}: no circle with a radius of {mean_radius_px - tolerance:.0f} to " + (
        f"{mean_radius_px + tolerance:.0f} px; found "
    )
    closest = closest_circle(candidates, mean_radius_px)
    if closest is None:
        return (
            f"{wanted}no circle at all. Look at the image; if its edge is faint, lower "
            f"preprocess.circle.min_coverage, now {config.min_coverage:g}."
        )
    return (
        f"{wanted}{len(candidates)}, the closest "
        f"{abs(closest.radius - mean_radius_px):.0f} px off. Widen "
        f"preprocess.circle.radius_tolerance_px, now {tolerance:g}."
    )
