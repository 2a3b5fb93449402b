"""Variants of normal samples, prepared as any other sample is, from the search for the region on.

Axis letters: h, w rows and columns.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from bearing_search.config import PreprocessConfig
from bearing_search.data.samples import Sample, read_levels, read_mask
from bearing_search.preprocess.contrast import grey
from bearing_search.preprocess.locate import NoRoi, RoiReference, detect
from bearing_search.preprocess.pipeline import Roi, cut, extract, extract_from
from bearing_search.preprocess.prepare import PreparedSet, prepared_sample, stacked
from bearing_search.preprocess.shapes import Circle, Shape
from bearing_search.preprocess.stress.changes import Image, changes_of, mean_profile
from bearing_search.preprocess.stress.dents import DentSpec, Mask, dent_like, press_dent
from bearing_search.preprocess.stress.frame import Frame, frame_of
from bearing_search.preprocess.stress.names import DENT_ANGLES, UNCHANGED

MOST_SAMPLES = 8
"""Normal samples of a part that are changed; each gives nine images."""

MOST_DENTED = 4
"""Those of them that get dents as well; each gives eight more images."""

DentMaker = Callable[[Frame, float], DentSpec]

_MOST_MASKS = 24
_BAND = (0.3, 0.95)
"""Levels among which a dent is put if none is marked, except for circles: there the crop's."""


def chosen_samples(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The normal samples to change, spread evenly over the groups and then over the samples."""
    normal = sorted((s for s in samples if not s.is_anomalous), key=lambda s: s.name)
    seen: dict[str, int] = {}
    rank = []
    for sample in normal:
        rank.append(seen.get(sample.group, 0))
        seen[sample.group] = rank[-1] + 1
    ordered = [s for _, s in sorted(zip(rank, normal, strict=True), key=lambda pair: pair[0])]
    if len(seen) > MOST_SAMPLES:
        places = np.linspace(0, len(seen) - 1, MOST_SAMPLES).round().astype(int)
        return tuple(ordered[place] for place in places)
    return tuple(ordered[:MOST_SAMPLES])


def stress_set(
    samples: Sequence[Sample],
    train: Sequence[Sample],
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    input_px: int,
    map_px: int,
) -> PreparedSet:
    """Every variant of the samples, prepared; nothing is cached.

    Args:
        samples: normal ones, as from `chosen_samples`.
        train: samples of the same part, whose marked defects give the dent's size and level.
        reference: estimated on `train`.
        config: of the preprocessing.
        input_px: side of the encoder's input.
        map_px: side of the map on which pixels are scored.

    Raises:
        DataError: a file cannot be read.
    """
    marked = marked_defects(train, reference, config)
    dent = partial(dent_like, marked)
    made = [
        (
            variant,
            roi.reason if isinstance(roi, NoRoi) else prepared_sample(roi, input_px, map_px),
        )
        for number, sample in enumerate(samples)
        for variant, roi in variants(
            sample, reference, config, dent if number < MOST_DENTED else None
        )
    ]
    return stacked(made, input_px=input_px, map_px=map_px)


def marked_defects(
    train: Sequence[Sample], reference: RoiReference, config: PreprocessConfig
) -> list[tuple[Mask, Frame]]:
    """Masks of some anomalous samples, each with the frame of its part."""
    found = []
    for sample in [s for s in train if s.is_anomalous and s.mask_files][:_MOST_MASKS]:
        roi = extract(sample, reference, config)
        if isinstance(roi, Roi):
            mask = read_mask(sample, read_levels(sample)[0].shape[:2])
            found.append((mask, _frame(roi.shape, mask)))
    return found


def variants(
    sample: Sample, reference: RoiReference, config: PreprocessConfig, dent: DentMaker | None
) -> Iterator[tuple[Sample, Roi | NoRoi]]:
    """The sample as it is, with every change, and with a dent at every angle.

    Each is a sample whose kind of defect is the change's name. Its region is found anew where light
    or camera have changed; a dent leaves it where it is. A sample without a region has no variants.

    Args:
        sample: a normal one.
        reference: of its part.
        config: of the preprocessing.
        dent: gives the dent for a frame and the level where it lies if none is marked; None: no
            dents.
    """
    levels = read_levels(sample)
    nothing = np.zeros(levels[0].shape[:2], dtype=bool)
    unchanged = _named(sample, UNCHANGED)
    roi = _roi(unchanged, levels, reference, config)
    yield unchanged, roi
    if isinstance(roi, NoRoi):
        return
    frame = _frame(roi.shape, nothing)
    for name, change in changes_of(roi.shape).items():
        changed = _named(sample, name)
        yield changed, _roi(changed, change(levels, frame), reference, config)
    if dent is None:
        return
    pressed = dent(frame, _brightest_level(levels[0], frame, roi.shape, config))
    for name, angle_deg in DENT_ANGLES.items():
        dented, mask = press_dent(levels, frame, pressed, angle_deg=angle_deg)
        yield (
            _named(sample, name, is_anomalous=True),
            cut(dented, mask, roi.shape, reference, config),
        )


def _named(sample: Sample, name: str, *, is_anomalous: bool = False) -> Sample:
    return replace(sample, defect=name, is_anomalous=is_anomalous)


def _frame(shape: Shape | None, mask: Mask) -> Frame:
    height, width = mask.shape
    return frame_of(shape, width=width, height=height)


def _roi(
    sample: Sample, levels: Sequence[Image], reference: RoiReference, config: PreprocessConfig
) -> Roi | NoRoi:
    nothing = np.zeros(levels[0].shape[:2], dtype=bool)
    detection = None
    if reference.geometry != "none":
        detection = detect(levels[0], reference.geometry, config)
    return extract_from(levels, nothing, detection, reference, config, name=sample.title)


def _brightest_level(
    image: Image, frame: Frame, shape: Shape | None, config: PreprocessConfig
) -> float:
    """Where a dent lies if none is marked: the brightest level of the part, all angles together."""
    low, high = _BAND
    if isinstance(shape, Circle):
        half_width = config.circle.ring_half_width_px / shape.radius
        low, high = max(0.0, 1 - half_width), 1 + half_width
    profile, levels = mean_profile(grey(image), frame)
    inside = np.flatnonzero((levels >= low) & (levels <= high))
    return float(levels[inside[profile[inside].argmax()]])
