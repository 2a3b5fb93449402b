"""Sample -> region of interest: found on brightness 0, cut from all levels and from the mask.

Axis letters: h, w rows and columns; c colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from bearing_search.config import PreprocessConfig
from bearing_search.data.samples import Sample, read_brightness_0, read_levels, read_mask
from bearing_search.preprocess.brightness import check_levels, fuse
from bearing_search.preprocess.cached_detection import detect_sample
from bearing_search.preprocess.circle.choice import ring_mask
from bearing_search.preprocess.decoded_images import recent_images
from bearing_search.preprocess.ellipse.choice import doubts
from bearing_search.preprocess.locate import (
    NoRoi,
    RoiReference,
    ShapeCandidates,
    estimate_reference,
    locate,
)
from bearing_search.preprocess.shapes import Circle, Ellipse, Shape
from bearing_search.preprocess.window import (
    Window,
    crop,
    lost_regions,
    notes_on,
    paste,
    window_of,
)

__all__ = ["NoRoi", "Roi", "RoiReference", "extract", "fit_reference", "kept_pixels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roi:
    """What preprocessing keeps of one sample."""

    image: UInt8[np.ndarray, "h w 3"]
    """Fused brightness channels, cropped; 0 outside the ring and outside the original image."""

    roi_mask: Bool[np.ndarray, "h w"]
    """Pixels that are kept."""

    mask: Bool[np.ndarray, "h w"]
    """Ground truth, cleared outside `roi_mask`."""

    shape: Circle | Ellipse | None
    """In pixels of the original image; None for a part that is used whole."""

    lost_regions: int
    """8-connected regions of the ground truth that lie entirely outside and cannot be found."""

    lost_pixels: int
    """Marked pixels outside, in those regions and in regions cut by the boundary."""

    notes: tuple[str, ...] = ()
    """Warnings about a sample that is usable all the same, one line each."""


def fit_reference(
    samples: Sequence[Sample], config: PreprocessConfig, *, cache: Path | None = None
) -> RoiReference:
    """Estimate one part's reference for the second pass from the training side of a fold.

    Args:
        samples: the training side.
        cache: folder shared by all trials that keeps the candidates found in each image.

    Raises:
        DataError: a brightness 0 cannot be read, or (RoiNotFoundError) no sample has a candidate.
    """
    parts = {sample.part for sample in samples}
    if len(parts) != 1:
        raise ValueError(f"a reference is estimated for one part, not for {sorted(parts)}")
    part = parts.pop()
    geometry = config.geometry_of(part)
    if geometry == "none":
        return RoiReference(
            part=part, geometry=geometry, num_samples=len(samples), num_found=len(samples)
        )
    detections = [detect_sample(sample, geometry, config, cache) for sample in samples]
    return estimate_reference(part, geometry, detections, config)


def extract(
    sample: Sample,
    reference: RoiReference,
    config: PreprocessConfig,
    detection: ShapeCandidates | None = None,
) -> Roi | NoRoi:
    """Find the sample's region of interest and cut it out.

    Args:
        detection: the sample's candidates; None: they are detected here, if needed.

    Raises:
        DataError: a file cannot be read, or levels or mask differ in size.
    """
    levels = read_levels(sample, read=recent_images.take)
    mask = read_mask(sample, levels[0].shape[:2])
    if detection is None and reference.geometry != "none":
        detection = detect_sample(sample, reference.geometry, config)
    return extract_from(levels, mask, detection, reference, config, name=sample.title)


def extract_from(
    levels: Sequence[UInt8[np.ndarray, "h w ..."]],
    mask: Bool[np.ndarray, "h w"],
    detection: ShapeCandidates | None,
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    name: str,
) -> Roi | NoRoi:
    """Like `extract`, for pixels already in memory.

    Args:
        levels: brightness 0 first.
        mask: ground truth, of the same size.
        detection: candidates in brightness 0; None for a part that is used whole.
        name: the sample's name in messages.

    Raises:
        DataError: the levels cannot become channels.
    """
    if detection is None:
        return cut(levels, mask, None, reference, config)
    located = locate(levels[0], detection, reference, config, name=name)
    if isinstance(located, NoRoi):
        return located
    return cut(levels, mask, located, reference, config)


def kept_pixels(
    sample: Sample, reference: RoiReference, config: PreprocessConfig, cache: Path | None = None
) -> Bool[np.ndarray, "h w"] | NoRoi:
    """Where preprocessing keeps a sample's image, in pixels of the original.

    Args:
        cache: as for `fit_reference`.

    Raises:
        DataError: brightness 0 cannot be read.
    """
    image = read_brightness_0(sample)
    height, width = image.shape[:2]
    if reference.geometry == "none":
        return np.ones((height, width), dtype=bool)
    detection = detect_sample(sample, reference.geometry, config, cache)
    shape = locate(image, detection, reference, config, name=sample.title)
    if isinstance(shape, NoRoi):
        return shape
    window = window_of(shape, reference, config, width=width, height=height)
    kept = np.zeros((height, width), dtype=bool)
    paste(kept, window, _kept_in(window, shape, config, size=(height, width)))
    return kept


def cut(
    levels: Sequence[UInt8[np.ndarray, "h w ..."]],
    mask: Bool[np.ndarray, "h w"],
    shape: Shape | None,
    reference: RoiReference,
    config: PreprocessConfig,
) -> Roi:
    """Crop the levels and the mask, fuse the levels, and clear everything outside the ring.

    Args:
        levels: brightness 0 first.
        mask: ground truth, of the same size.
        shape: the chosen shape; None keeps the whole image.

    Raises:
        DataError: the levels cannot become channels (`check_levels`).
    """
    check_levels(reference.part, len(levels), config.levels)
    height, width = mask.shape
    window = window_of(shape, reference, config, width=width, height=height)
    cropped = [crop(level, window) for level in levels]
    is_mid_level = reference.part in config.mid_level_parts
    fused = fuse(cropped, mid_level=is_mid_level, channels=config.levels)
    roi_mask = _kept_in(window, shape, config, size=(height, width))
    kept = crop(mask, window) & roi_mask
    lost = mask.copy()
    if mask.any():
        paste(lost, window, crop(mask, window) & ~roi_mask)
    return Roi(
        image=cv2.bitwise_and(fused, fused, mask=roi_mask.view(np.uint8)),
        roi_mask=roi_mask,
        mask=kept,
        shape=shape,
        lost_regions=lost_regions(mask, lost),
        lost_pixels=int(lost.sum()),
        notes=(*notes_on(window, width, height), *_doubts(shape)),
    )


def _kept_in(
    window: Window, shape: Shape | None, config: PreprocessConfig, *, size: tuple[int, int]
) -> Bool[np.ndarray, "h w"]:
    """Pixels of the window that lie in the image, given by its height and width, and the ring."""
    kept = crop(np.ones(size, dtype=bool), window)
    if isinstance(shape, Circle):
        delta = config.circle.ring_half_width_px
        centre = (shape.x - window.left, shape.y - window.top)
        kept &= ring_mask(
            window.width, centre, inner=shape.radius - delta, outer=shape.radius + delta
        )
    return kept


def _doubts(shape: Shape | None) -> tuple[str, ...]:
    return doubts(shape) if isinstance(shape, Ellipse) else ()
