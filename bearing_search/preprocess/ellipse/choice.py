"""EGGCC: chooses the part's ellipse among the candidates, and the crop common to all images.

Lengths are pixels of the original image. Source: paper, section 3.1.
"""

from collections.abc import Sequence

import numpy as np

from bearing_search.config import EllipseConfig
from bearing_search.errors import RoiNotFoundError
from bearing_search.preprocess.ellipse.fit import signed_distance
from bearing_search.preprocess.shapes import CLEAN, Ellipse, outside_share

NUM_BOUNDARY_POINTS = 72
"""Boundary points, at evenly spaced angles, tested for lying in the image (at least 36)."""

CLEAR_EDGE = 0.8
"""Minimum coverage, as a share of the best, of a clear edge."""

MUCH_EVENER = 0.25
"""By how much the even coverage of a part's outline exceeds that of the outline of its shadow."""

SHADOW_REACH = 0.25
"""How far a shadow reaches beyond the part at most, as a share of the semi-minor axis."""

TOUCHING = (-0.02, 0.15)
"""Range of the farthest that a part's outline lies beyond that of its shadow, as above. On the lit
side the two touch, or cross where no edge holds the fit; a chamfer stays away from the outline."""

DOUBTFUL = (0.9, 0.7)
"""Coverage and even coverage; an outline with less of both may follow a shadow."""

Box = tuple[int, int, int, int]
"""Left, up, right, down."""


def choose_ellipse(
    candidates: Sequence[Ellipse], config: EllipseConfig, *, width: int, height: int, image: str
) -> Ellipse:
    """The largest ellipse whose whole boundary lies in the image.

    Ellipses with much poorer edges than the best are ignored unless they enclose one with clear
    edges: background edges can line up into large, half-covered ellipses, but a part's outline may
    be fainter than its bore. A cast shadow widens the outline to an ellipse of its own, bright
    inside on the lit side and dark inside on the other; the part's own outline within it has the
    same contrast all around, and is preferred. The paper does not mention these cases.

    Args:
        candidates: detected ellipses, in any order.
        width: of the image.
        height: of the image.
        image: name shown in the error.

    Raises:
        RoiNotFoundError: no ellipse lies entirely in the image.
    """
    inside = [e for e in candidates if outside_share(e, width, height, NUM_BOUNDARY_POINTS) == 0.0]
    if not inside:
        raise RoiNotFoundError(_why_none(candidates, config, image))
    needed = CLEAR_EDGE * max(ellipse.coverage for ellipse in inside)
    clear = [e for e in inside if e.coverage >= needed]
    plausible = [e for e in inside if any(e is c or _encloses(e, c) for c in clear)]
    largest = max(plausible, key=_area)
    lit = [e for e in plausible if _casts(e, largest)]
    return max(lit, key=_area, default=largest)


def ellipse_guess(
    candidates: Sequence[Ellipse], config: EllipseConfig, *, width: int, height: int
) -> Ellipse | None:
    """The part's ellipse in the first pass, chosen by `choose_ellipse`; None: there is none."""
    try:
        return choose_ellipse(candidates, config, width=width, height=height, image="")
    except RoiNotFoundError:
        return None


def proposed_crop(ellipses: Sequence[Ellipse], config: EllipseConfig) -> Box:
    """How far a crop around the mean centre must reach to contain a typical ellipse and a margin.

    The reach is the 90th percentile over the training side, so that one stray ellipse does not
    widen every crop.
    """
    x, y = mean_centre(ellipses)
    reaches = []
    for ellipse in ellipses:
        half_width, half_height = ellipse.half_extent
        dx, dy = ellipse.x - x, ellipse.y - y
        reaches.append([half_width - dx, half_height - dy, half_width + dx, half_height + dy])
    reach = np.quantile(reaches, 0.9, axis=0) * (1 + config.crop_margin)
    left, up, right, down = (max(1, int(np.ceil(value))) for value in reach)
    return left, up, right, down


def mean_centre(ellipses: Sequence[Ellipse]) -> tuple[float, float]:
    """The paper's mean centre, without ellipses far from the median centre."""
    centres = np.array([(e.x, e.y) for e in ellipses])
    away = np.hypot(*(centres - np.median(centres, axis=0)).T)
    near = away <= max(2.0, 3.0 * 1.4826 * float(np.median(away)))
    x, y = centres[near].mean(axis=0)
    return float(x), float(y)


def doubts(ellipse: Ellipse) -> tuple[str, ...]:
    """A warning, one line, if the ellipse may follow the edge of a shadow."""
    if ellipse.coverage >= DOUBTFUL[0] or ellipse.even_coverage >= DOUBTFUL[1]:
        return ()
    return (
        f"the {ellipse} may follow a shadow or clutter: edges cover {ellipse.coverage:.0%} of it, "
        f"and {ellipse.even_coverage:.0%} with the same side bright. Look at the contact sheet.",
    )


def inside_share(ellipse: Ellipse, centre: tuple[float, float], crop: Box) -> float:
    """Share of the ellipse's boundary that lies inside the crop."""
    left, up, right, down = crop
    points = ellipse.boundary(180) - centre
    inside = (
        (points[:, 0] >= -left)
        & (points[:, 0] <= right)
        & (points[:, 1] >= -up)
        & (points[:, 1] <= down)
    )
    return float(inside.mean())


def _area(ellipse: Ellipse) -> float:
    """Area, in units of pi square pixels."""
    return ellipse.semi_major * ellipse.semi_minor


def _casts(part: Ellipse, shadow: Ellipse) -> bool:
    """Whether an ellipse just within another one is a complete edge of much evener contrast."""
    is_evener = part.even_coverage >= max(CLEAN, shadow.even_coverage + MUCH_EVENER)
    if not is_evener or _area(part) >= _area(shadow):
        return False
    distance, _ = signed_distance(part.boundary(NUM_BOUNDARY_POINTS), shadow)
    low, high = distance.min() / shadow.semi_minor, distance.max() / shadow.semi_minor
    return bool(low >= -SHADOW_REACH and TOUCHING[0] <= high <= TOUCHING[1])


def _encloses(outer: Ellipse, inner: Ellipse) -> bool:
    """Whether `inner` lies strictly inside `outer`."""
    distance, _ = signed_distance(inner.boundary(36), outer)
    return bool((distance < 0.0).all()) and inner.semi_minor < outer.semi_minor


def _why_none(candidates: Sequence[Ellipse], config: EllipseConfig, image: str) -> str:
    if candidates:
        return (
            f"{image}: the {candidates[0]}, the largest of {len(candidates)}, extends beyond the "
            "image. Photograph the whole part."
        )
    return (
        f"{image}: no ellipse at all. Look at the image; crop its surroundings with "
        f"preprocess.ellipse.pre_crop_px, now {list(config.pre_crop_px)}, or if the edge is "
        f"faint, lower preprocess.ellipse.min_coverage, now {config.min_coverage:g}."
    )
