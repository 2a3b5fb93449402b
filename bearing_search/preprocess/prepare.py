"""Cached preprocessing for the training stages: samples of one part as arrays of one size.

Three things are cached per sample: the candidate shapes in its image, the one that the settings
choose, and the pixels cut out by it. A search over tolerances makes new choices, but few new
pixels.

Axis letters: n samples; s side of the input; m side of the map; h, w rows and columns.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8

from bearing_search.config import PreprocessConfig, to_plain
from bearing_search.data.samples import Sample
from bearing_search.filesystem.digest import sha256_of_arrays
from bearing_search.preprocess.cached_detection import detect_sample, facts_of, shape_of
from bearing_search.preprocess.image_cache import (
    content_of,
    entry,
    load_arrays,
    load_facts,
    store_arrays,
    store_facts,
)
from bearing_search.preprocess.pipeline import NoRoi, Roi, RoiReference, extract
from bearing_search.preprocess.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSet:
    """Preprocessed samples of one part, as training and scoring read them."""

    samples: tuple[Sample, ...]
    """Those with a region of interest, in the order given."""

    images: UInt8[np.ndarray, "n s s 3"]
    """Regions of interest, resized; area interpolation where they shrink."""

    roi_masks: Bool[np.ndarray, "n s s"]
    """A pixel is set where any part of it is kept."""

    masks: Bool[np.ndarray, "n s s"]
    """A pixel is set where any part of it is marked."""

    map_masks: Bool[np.ndarray, "n m m"]
    """The same at the size of the map; a threshold of .5 would erase small dents."""

    lost_regions: Int[np.ndarray, " n"]
    """Number of ground-truth regions entirely outside the region of interest, per sample."""

    no_roi: tuple[tuple[Sample, str], ...]
    """Samples without a region of interest, with the reason."""

    digest: str
    """Sixteen hex digits over the arrays' contents; settings without effect leave it unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSample:
    """Arrays of one sample; see `PreparedSet`."""

    image: UInt8[np.ndarray, "s s 3"]
    roi_mask: Bool[np.ndarray, "s s"]
    mask: Bool[np.ndarray, "s s"]
    map_mask: Bool[np.ndarray, "m m"]
    lost_regions: int

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store in the cache."""
        return {name: np.asarray(value) for name, value in asdict(self).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "PreparedSample":
        """Rebuild the entry from cached arrays."""
        return cls(
            image=arrays["image"],
            roi_mask=arrays["roi_mask"],
            mask=arrays["mask"],
            map_mask=arrays["map_mask"],
            lost_regions=int(arrays["lost_regions"]),
        )


def prepare(
    samples: Sequence[Sample],
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    input_px: int,
    map_px: int,
    cache: Path,
) -> PreparedSet:
    """Extract, resize and stack the samples of one part.

    Args:
        reference: estimated on the training side of the fold.
        input_px: side of the encoder's input.
        map_px: side of the map on which pixels are scored.
        cache: folder shared by all trials.

    Raises:
        DataError: a file cannot be read, or levels or mask differ in size.
    """
    cache.mkdir(parents=True, exist_ok=True)
    made = [
        (s, _one(s, reference, config, input_px=input_px, map_px=map_px, cache=cache))
        for s in samples
    ]
    return stacked(made, input_px=input_px, map_px=map_px)


def stacked(
    made: Sequence[tuple[Sample, PreparedSample | str]], *, input_px: int, map_px: int
) -> PreparedSet:
    """The arrays of all samples that have a region of interest; the others come with the reason."""
    found = [(sample, one) for sample, one in made if isinstance(one, PreparedSample)]
    entries = [one for _, one in found]
    images = _stack([e.image for e in entries], (input_px, input_px, 3), np.uint8)
    roi_masks = _stack([e.roi_mask for e in entries], (input_px, input_px), np.bool_)
    masks = _stack([e.mask for e in entries], (input_px, input_px), np.bool_)
    map_masks = _stack([e.map_mask for e in entries], (map_px, map_px), np.bool_)
    return PreparedSet(
        samples=tuple(sample for sample, _ in found),
        images=images,
        roi_masks=roi_masks,
        masks=masks,
        map_masks=map_masks,
        lost_regions=np.array([e.lost_regions for e in entries], dtype=np.int64),
        no_roi=tuple((sample, one) for sample, one in made if isinstance(one, str)),
        digest=_digest([images, roi_masks, masks, map_masks]),
    )


def shrink_any(mask: Bool[np.ndarray, "h w"], side: int) -> Bool[np.ndarray, "s s"]:
    """Resize a mask so that a pixel is set where any part of it is set."""
    height, width = mask.shape
    total = cv2.integral(mask.astype(np.uint8))
    top, bottom = _cells(height, side)
    left, right = _cells(width, side)
    inside = (
        total[np.ix_(bottom, right)]
        - total[np.ix_(top, right)]
        - total[np.ix_(bottom, left)]
        + total[np.ix_(top, left)]
    )
    result: Bool[np.ndarray, "s s"] = inside > 0
    return result


def _cells(length: int, side: int) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " s"]]:
    """First and one-past-last source pixel that each target pixel touches."""
    index = np.arange(side)
    return index * length // side, -(-(index + 1) * length // side)


def _one(
    sample: Sample,
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    input_px: int,
    map_px: int,
    cache: Path,
) -> PreparedSample | str:
    content, reading, sizes = content_of(sample), asdict(sample.reading), (input_px, map_px)
    # a reason quotes the title and the tolerances
    facts = [content, sample.title, reading, to_plain(config), asdict(reference)]
    outcome_file = entry(cache, ".json", "outcome", *facts)
    outcome = load_facts(outcome_file)
    if outcome is not None and "reason" in outcome:
        return str(outcome["reason"])
    if outcome is not None:
        shape = shape_of(outcome)
        file = _pixels_file(cache, [content, reading], shape, reference, config, sizes)
        arrays = load_arrays(file)
        if arrays is not None:
            return PreparedSample.from_arrays(arrays)
    detection = (
        None
        if reference.geometry == "none"
        else detect_sample(sample, reference.geometry, config, cache)
    )
    roi = extract(sample, reference, config, detection)
    if isinstance(roi, NoRoi):
        store_facts(outcome_file, {"reason": roi.reason})
        return roi.reason
    made = prepared_sample(roi, input_px, map_px)
    file = _pixels_file(cache, [content, reading], roi.shape, reference, config, sizes)
    store_arrays(file, made.arrays())
    store_facts(outcome_file, facts_of(roi.shape))
    return made


def _pixels_file(
    cache: Path,
    read: Sequence[Any],
    shape: Shape | None,
    reference: RoiReference,
    config: PreprocessConfig,
    sizes: tuple[int, int],
) -> Path:
    """Cache file named by the shape, not by the tolerances: a search over delta_r shares it.

    Args:
        read: digest of the sample's files, and how they are read.
    """
    cut = [
        config.circle.ring_half_width_px,
        config.circle.crop_radius,
        reference.centre,
        reference.crop_px,
        reference.part in config.mid_level_parts,
        list(config.levels),
    ]
    return entry(cache, ".npz", "pixels", *read, facts_of(shape), cut, sizes)


def prepared_sample(roi: Roi, input_px: int, map_px: int) -> PreparedSample:
    """A region of interest, resized to the encoder's input and to the map."""
    shrinks = min(roi.image.shape[:2]) >= input_px
    return PreparedSample(
        image=cv2.resize(
            roi.image,
            (input_px, input_px),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        ),
        roi_mask=shrink_any(roi.roi_mask, input_px),
        mask=shrink_any(roi.mask, input_px),
        map_mask=shrink_any(roi.mask, map_px),
        lost_regions=roi.lost_regions,
    )


def _stack(
    arrays: Sequence[np.ndarray], shape: tuple[int, ...], dtype: type[np.generic]
) -> np.ndarray:
    """`np.stack` that also handles an empty sequence."""
    return np.stack(arrays) if arrays else np.zeros((0, *shape), dtype=dtype)


def _digest(arrays: Sequence[np.ndarray]) -> str:
    return sha256_of_arrays((repr(array.shape), array) for array in arrays)[:16]
