"""Image -> shape of the part, or the reason why there is none.

Handles the geometries; reads no files. Axis letters: h, w rows and columns; c colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from bearing_search.config import Geometry, PreprocessConfig
from bearing_search.errors import DataError, RoiNotFoundError
from bearing_search.preprocess.circle.candidates import circle_candidates
from bearing_search.preprocess.circle.choice import best_guess, choose_circle, closest_circle
from bearing_search.preprocess.contrast import enhance, grey
from bearing_search.preprocess.ellipse.candidates import ellipse_candidates
from bearing_search.preprocess.ellipse.choice import (
    Box,
    choose_ellipse,
    ellipse_guess,
    inside_share,
    mean_centre,
    proposed_crop,
)
from bearing_search.preprocess.refine import refine_circle, refine_ellipse
from bearing_search.preprocess.shapes import Circle, Ellipse, Shape
from bearing_search.text.program import program

UNIFORM = 8
"""An image whose grey levels span less than this shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeCandidates:
    """All candidate shapes of one image, in pixels of the original image, largest first."""

    width: int
    height: int
    candidates: tuple[Shape, ...]
    scale: float
    """Scale of the working copy in which they were found."""

    is_uniform: bool
    """The image shows nothing, such as all black or all white."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiReference:
    """Estimates from the training side of a fold, for one part."""

    part: str
    geometry: Geometry
    num_samples: int
    """Samples examined."""

    num_found: int
    """Samples with a candidate, from which the rest is estimated."""

    mean_radius_px: float = 0.0
    """r_mean of circles; 0 for other geometries."""

    centre: tuple[float, float] = (0.0, 0.0)
    """Reference centre of ellipses, x and y; 0, 0 for other geometries."""

    crop_px: Box = (0, 0, 0, 0)
    """Reach of the crop of ellipses: left, up, right, down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoi:
    """A sample without a plausible region of interest."""

    reason: str
    """One line: what was found, what was wanted, which setting to change."""

    closest: Circle | Ellipse | None
    """The closest candidate, if any."""


def detect(
    image: UInt8[np.ndarray, "h w *c"], geometry: Geometry, config: PreprocessConfig
) -> ShapeCandidates:
    """Find every candidate in brightness 0; geometry `none` has no candidates.

    Raises:
        DataError: the image is smaller than what `pre_crop_px` cuts away.
    """
    plain = grey(image)
    height, width = plain.shape
    left, top, right, bottom = config.ellipse.pre_crop_px if geometry == "ellipse" else (0, 0, 0, 0)
    if left + right >= width or top + bottom >= height:
        raise DataError(
            f"an image of {width}x{height} px is smaller than what "
            f"preprocess.ellipse.pre_crop_px cuts away, {list(config.ellipse.pre_crop_px)}. "
            "Lower it."
        )
    plain = plain[top : height - bottom, left : width - right]
    is_uniform = int(plain.max()) - int(plain.min()) < UNIFORM
    found: Sequence[Shape] = []
    contrast = enhance(plain, config.contrast)
    match geometry:
        case "circle" | "inverted_circle" if not is_uniform:
            inverted = geometry == "inverted_circle"
            found = circle_candidates(contrast, config.circle, inverted=inverted)
        case "ellipse" if not is_uniform:
            found = ellipse_candidates(contrast, config.ellipse)
    back = 1 / contrast.scale
    return ShapeCandidates(
        width=width,
        height=height,
        candidates=tuple(shape.moved(back, left, top) for shape in found),
        scale=contrast.scale,
        is_uniform=is_uniform,
    )


def estimate_reference(
    part: str, geometry: Geometry, detections: Sequence[ShapeCandidates], config: PreprocessConfig
) -> RoiReference:
    """First pass: mean radius, or reference centre and crop, over the training side of a fold.

    r_mean is the median of the images' best guesses, so a few wrong ones do not move it.

    Raises:
        RoiNotFoundError: no image has a candidate.
    """
    num_samples = len(detections)
    if geometry == "none":
        return RoiReference(
            part=part, geometry=geometry, num_samples=num_samples, num_found=num_samples
        )
    if geometry == "ellipse":
        each = [
            ellipse_guess(_ellipses(d), config.ellipse, width=d.width, height=d.height)
            for d in detections
        ]
        ellipses = [ellipse for ellipse in each if ellipse is not None]
        _require_any(ellipses, part, geometry, num_samples)
        given = config.ellipse.crop_px
        return RoiReference(
            part=part,
            geometry=geometry,
            num_samples=num_samples,
            num_found=len(ellipses),
            centre=mean_centre(ellipses),
            crop_px=given if max(given) > 0 else proposed_crop(ellipses, config.ellipse),
        )
    guesses = [
        best_guess(_circles(d), config.circle, width=d.width, height=d.height) for d in detections
    ]
    radii = [circle.radius for circle in guesses if circle is not None]
    _require_any(radii, part, geometry, num_samples)
    return RoiReference(
        part=part,
        geometry=geometry,
        num_samples=num_samples,
        num_found=len(radii),
        mean_radius_px=float(np.median(radii)),
    )


def locate(
    image: UInt8[np.ndarray, "h w *c"],
    detection: ShapeCandidates,
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    name: str,
) -> Shape | NoRoi:
    """Second pass: choose among the candidates of one image, and refine the chosen one.

    Args:
        image: brightness 0, in which `detection` was found.
        name: the image's name in messages.
    """
    if detection.is_uniform:
        return NoRoi(
            reason=f"{name}: brightness 0 shows nothing: all its pixels are about equal. "
            "Check the lighting, and that the brightest level comes first.",
            closest=None,
        )
    reach = max(4.0, 2.5 / detection.scale)
    try:
        if reference.geometry == "ellipse":
            ellipse = choose_ellipse(
                _ellipses(detection),
                config.ellipse,
                width=detection.width,
                height=detection.height,
                image=name,
            )
            if config.ellipse.refine:
                ellipse = refine_ellipse(grey(image), ellipse, reach_px=reach)
            return _inside_crop(ellipse, reference, config, name)
        circle = choose_circle(
            _circles(detection),
            config.circle,
            mean_radius_px=reference.mean_radius_px,
            width=detection.width,
            height=detection.height,
            image=name,
        )
        if config.circle.refine:
            circle = refine_circle(grey(image), circle, reach_px=reach)
        return circle
    except RoiNotFoundError as error:
        return NoRoi(reason=str(error), closest=_closest(detection, reference))


def _inside_crop(
    ellipse: Ellipse, reference: RoiReference, config: PreprocessConfig, name: str
) -> Ellipse | NoRoi:
    share = inside_share(ellipse, reference.centre, reference.crop_px)
    if share >= config.ellipse.min_inside_crop:
        return ellipse
    return NoRoi(
        reason=f"{name}: only {share:.2f} of the {ellipse} lies inside the crop around "
        f"({reference.centre[0]:.0f}, {reference.centre[1]:.0f}). Set "
        f"preprocess.ellipse.crop_px, now {list(reference.crop_px)}, or lower "
        f"preprocess.ellipse.min_inside_crop, now {config.ellipse.min_inside_crop:g}.",
        closest=ellipse,
    )


def _closest(detection: ShapeCandidates, reference: RoiReference) -> Shape | None:
    if reference.geometry == "ellipse":
        return detection.candidates[0] if detection.candidates else None
    return closest_circle(_circles(detection), reference.mean_radius_px)


def _circles(detection: ShapeCandidates) -> list[Circle]:
    return [shape for shape in detection.candidates if isinstance(shape, Circle)]


def _ellipses(detection: ShapeCandidates) -> list[Ellipse]:
    return [shape for shape in detection.candidates if isinstance(shape, Ellipse)]


def _require_any(found: Sequence[object], part: str, geometry: str, num_samples: int) -> None:
    if not found:
        raise RoiNotFoundError(
            f"{part}: no {geometry} in any of {num_samples} training samples. Look at the contact "
            f"sheet of `{program()} roi`; set another geometry with "
            f"preprocess.geometry.{part}."
        )
