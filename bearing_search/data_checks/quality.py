"""What the pixels of a sample say about its files: brightness, registration, mask, region.

Axis letters: h, w rows and columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from bearing_search.config import PreprocessConfig, parse, to_plain
from bearing_search.data.samples import Sample, read_levels, read_mask_values
from bearing_search.data_checks.masks.mask_facts import MaskFacts, mask_facts
from bearing_search.data_checks.pictures.picture_facts import PictureFacts, picture_facts
from bearing_search.errors import RoiNotFoundError
from bearing_search.preprocess.cached_detection import detect_sample
from bearing_search.preprocess.contrast import grey
from bearing_search.preprocess.image_cache import content_of, entry, load_facts, store_facts
from bearing_search.preprocess.pipeline import NoRoi, RoiReference, extract, fit_reference

VERSION = 3
"""Raised whenever other facts are found in equal files."""

_LONGER_SIDE_PX = 640
"""Shifts are measured on copies no larger than this; a tenth of their pixels is well resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a brightness level lies from brightness 0."""

    level: int
    x: float
    """In pixels of the image; positive to the right."""

    y: float
    response: float
    """Height of the correlation's peak, in [0, 1]; a low one is no evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """What was measured in one sample."""

    medians: tuple[float, ...]
    """Median grey level of each brightness, in [0, 255]."""

    shifts: tuple[Shift, ...]
    marked_px: int
    lost_px: int = 0
    """Marked pixels outside the region of interest."""

    lost_regions: int = 0
    """Marked regions wholly outside it."""

    no_roi: str = ""
    """Why there is no region of interest; empty: there is one."""

    mask: MaskFacts = field(default_factory=MaskFacts)
    picture: PictureFacts = field(default_factory=PictureFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """All samples of one part."""

    part: str
    samples: tuple[Sample, ...]
    facts: tuple[SampleFacts, ...]
    no_reference: str = ""
    """Why no region of interest could be found at all; empty: it could."""


def facts_of_part(
    samples: Sequence[Sample],
    config: PreprocessConfig,
    cache: Path,
    *,
    on_progress: Callable[[], None] = lambda: None,
) -> PartFacts:
    """Measure every sample; regions of interest are judged as in training on all of train.

    Args:
        samples: of one part, both splits.
        cache: folder of prepared images and of facts.
        on_progress: told after each sample.

    Raises:
        DataError: a file cannot be read, levels or mask differ in size.
    """
    cache.mkdir(parents=True, exist_ok=True)
    train = [sample for sample in samples if sample.split == "train"]
    reference, failure = None, ""
    try:
        reference = fit_reference(train, config, cache=cache) if train else None
    except RoiNotFoundError as error:
        failure = str(error)
    facts = []
    for sample in samples:
        facts.append(_facts(sample, reference, config, cache))
        on_progress()
    return PartFacts(
        part=samples[0].part, samples=tuple(samples), facts=tuple(facts), no_reference=failure
    )


def shift_between(
    first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]
) -> tuple[float, float, float]:
    """Shift of `second` against `first`, x and y in pixels, and the height of the peak.

    Phase correlation of gradient strengths (Kuglin and Hines 1975), since another exposure
    changes greys and leaves edges where they are.
    """
    scale = min(1.0, _LONGER_SIDE_PX / max(first.shape))
    edges = [_edges(image, scale) for image in (first, second)]
    window = cv2.createHanningWindow((edges[0].shape[1], edges[0].shape[0]), cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(edges[0], edges[1], window)
    return x / scale, y / scale, float(np.clip(response, 0, 1))


def _edges(image: UInt8[np.ndarray, "h w"], scale: float) -> Float32[np.ndarray, "y x"]:
    small = image
    if scale < 1:
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength: Float32[np.ndarray, "y x"] = np.log1p(cv2.magnitude(across, down))
    return strength


def _facts(
    sample: Sample, reference: RoiReference | None, config: PreprocessConfig, cache: Path
) -> SampleFacts:
    settings = [content_of(sample), sample.title, asdict(sample.reading), to_plain(config)]
    known_reference = asdict(reference) if reference else None
    file = entry(cache, ".json", "quality", VERSION, *settings, known_reference)
    known = load_facts(file)
    if known is not None:
        return parse(SampleFacts, known)
    facts = _measured(sample, reference, config, cache)
    store_facts(file, asdict(facts))
    return facts


def _measured(
    sample: Sample, reference: RoiReference | None, config: PreprocessConfig, cache: Path
) -> SampleFacts:
    levels = [grey(level) for level in read_levels(sample)]
    masks = read_mask_values(sample, levels[0].shape)
    marked = np.zeros(levels[0].shape, dtype=bool)
    for mask in masks:
        marked |= mask.marked
    shifts = []
    for number, level in enumerate(levels[1:], start=1):
        x, y, response = shift_between(levels[0], level)
        shifts.append(Shift(level=number, x=x, y=y, response=response))
    lost_px, lost_regions, no_roi, roi_share = 0, 0, "", 0.0
    size: tuple[int, int] = levels[0].shape
    if reference is not None and reference.geometry != "none":
        detection = detect_sample(sample, reference.geometry, config, cache)
        roi = extract(sample, reference, config, detection)
        if isinstance(roi, NoRoi):
            no_roi, size = roi.reason, (0, 0)
        else:
            lost_px, lost_regions = roi.lost_pixels, roi.lost_regions
            size = roi.mask.shape
            roi_share = float(roi.mask.sum() / max(roi.roi_mask.sum(), 1))
    return SampleFacts(
        medians=tuple(float(np.median(level)) for level in levels),
        shifts=tuple(shifts),
        marked_px=int(marked.sum()),
        lost_px=lost_px,
        lost_regions=lost_regions,
        no_roi=no_roi,
        mask=mask_facts(masks, marked, levels[0], roi_share),
        picture=picture_facts(levels[0], marked, size),
    )
