"""Both passes of the extraction over one part, in several processes; one row per sample."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cv2
import numpy as np

from bearing_search.config import Geometry, PreprocessConfig
from bearing_search.data.image_folder import ImageFolder
from bearing_search.data.samples import Sample, read_brightness_0, read_levels, read_mask
from bearing_search.errors import DataError, RoiNotFoundError
from bearing_search.plots.montage import Picture
from bearing_search.preprocess.locate import (
    NoRoi,
    RoiReference,
    ShapeCandidates,
    detect,
    estimate_reference,
)
from bearing_search.preprocess.pipeline import Roi, extract_from
from bearing_search.preprocess.report.cut_away import cut_away_share
from bearing_search.preprocess.report.drawing import blank_tile, tile
from bearing_search.preprocess.shapes import Circle, Ellipse
from bearing_search.preprocess.window import window_of
from bearing_search.processes.pool import process_pool

POOL_FROM = 24
"""With fewer samples, starting processes takes longer than they save."""

TOLD_FROM = 0.01
"""Share of a part outside the crop from which the report mentions it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRow:
    """Result of one sample."""

    sample: Sample
    outcome: Circle | Ellipse | str | None
    """The shape; None for a part that is used whole; the reason where there is no ROI."""

    is_unreadable: bool
    num_candidates: int
    lost_regions: int
    lost_pixels: int
    cut_away: float
    """Share of the part that the crop leaves out, in [0, 1]; see `cut_away_share`."""

    notes: tuple[str, ...]
    picture: Picture

    @property
    def is_found(self) -> bool:
        """Whether the sample has a region of interest."""
        return not isinstance(self.outcome, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartExtraction:
    """All rows of one part, with the settings and the reference used."""

    part: str
    geometry: Geometry
    config: PreprocessConfig
    reference: RoiReference | None
    rows: tuple[ExtractionRow, ...]


def look_at_part(
    images: ImageFolder,
    geometry: Geometry,
    config: PreprocessConfig,
    *,
    workers: int,
    adapt_tolerance: bool,
    on_progress: Callable[[], None] = lambda: None,
) -> PartExtraction:
    """Run both passes over one part, in several processes.

    Args:
        images: of one part; the reference is estimated on those of the training split. Flawed
            samples become rows without a region.
        workers: number of processes.
        adapt_tolerance: widen radius_tolerance_px to the spread of the radii found in the images;
            for a folder of images about which nothing is known.
        on_progress: called after each of the two passes over each sample.
    """
    samples = images.samples
    part = (samples or [sample for sample, _ in images.flawed])[0].part
    config = replace(config, geometry={part: geometry})
    with _pool(workers if len(samples) >= POOL_FROM else 1) as each:
        detections: list[ShapeCandidates | str] = []
        for detection in each(partial(_detected, geometry=geometry, config=config), samples):
            detections.append(detection)
            on_progress()
        reference, failure = _reference(part, geometry, samples, detections, config)
        if adapt_tolerance and reference is not None and reference.mean_radius_px:
            config = _adapted(config, reference, detections)
        work = partial(_row, reference=reference, failure=failure, config=config)
        rows: list[ExtractionRow] = []
        for row in each(work, list(zip(samples, detections, strict=True))):
            rows.append(row)
            on_progress()
    rows += [_unreadable(sample, reason) for sample, reason in images.flawed]
    return PartExtraction(
        part=part, geometry=geometry, config=config, reference=reference, rows=tuple(rows)
    )


def _detected(
    sample: Sample, *, geometry: Geometry, config: PreprocessConfig
) -> ShapeCandidates | str:
    try:
        return detect(read_brightness_0(sample), geometry, config)
    except DataError as error:
        return str(error)


def _reference(
    part: str,
    geometry: Geometry,
    samples: Sequence[Sample],
    detections: Sequence[ShapeCandidates | str],
    config: PreprocessConfig,
) -> tuple[RoiReference | None, str]:
    """The reference of the training split, or why there is none."""
    training = [
        detection
        for sample, detection in zip(samples, detections, strict=True)
        if sample.split == "train" and isinstance(detection, ShapeCandidates)
    ]
    try:
        return estimate_reference(part, geometry, training, config), ""
    except RoiNotFoundError as error:
        return None, str(error)


def _adapted(
    config: PreprocessConfig, reference: RoiReference, detections: Sequence[ShapeCandidates | str]
) -> PreprocessConfig:
    """The tolerance widened to four robust standard deviations of the first pass's radii."""
    known = [d for d in detections if isinstance(d, ShapeCandidates)]
    alone = [
        estimate_reference(reference.part, reference.geometry, [d], config).mean_radius_px
        for d in known
        if d.candidates and _has_guess(d, reference, config)
    ]
    away = float(np.median(np.abs(np.array(alone) - reference.mean_radius_px)))
    wide = max(config.circle.radius_tolerance_px, 4 * 1.4826 * away)
    return replace(config, circle=replace(config.circle, radius_tolerance_px=round(wide, 1)))


def _has_guess(
    detection: ShapeCandidates, reference: RoiReference, config: PreprocessConfig
) -> bool:
    try:
        estimate_reference(reference.part, reference.geometry, [detection], config)
    except RoiNotFoundError:
        return False
    return True


def _row(
    pair: tuple[Sample, ShapeCandidates | str],
    *,
    reference: RoiReference | None,
    failure: str,
    config: PreprocessConfig,
) -> ExtractionRow:
    sample, detection = pair
    if isinstance(detection, str):
        return _unreadable(sample, detection)
    closest = detection.candidates[0] if detection.candidates else None
    outcome: Roi | NoRoi = NoRoi(reason=f"{sample.title}: {failure}", closest=closest)
    try:
        levels = read_levels(sample)
        mask = read_mask(sample, levels[0].shape[:2])
    except DataError as error:
        return _unreadable(sample, str(error))
    if reference is not None:
        candidates = None if reference.geometry == "none" else detection
        outcome = extract_from(levels, mask, candidates, reference, config, name=sample.title)
    is_found = isinstance(outcome, Roi)
    cut_away = 0.0
    if isinstance(outcome, Roi) and reference is not None:
        height, width = levels[0].shape[:2]
        window = window_of(outcome.shape, reference, config, width=width, height=height)
        cut_away = cut_away_share(outcome.shape, outcome.roi_mask, window, detection)
    caption = f"{sample.title}: {'found' if is_found else 'no ROI'}"
    if cut_away >= TOLD_FROM:
        caption += f", {cut_away:.0%} cut away"
    if isinstance(outcome, NoRoi):
        caption += "\n" + outcome.reason.removeprefix(f"{sample.title}: ")
    elif outcome.notes:
        caption += "\n" + outcome.notes[0]
    return ExtractionRow(
        sample=sample,
        outcome=outcome.shape if isinstance(outcome, Roi) else outcome.reason,
        is_unreadable=False,
        num_candidates=len(detection.candidates),
        lost_regions=outcome.lost_regions if isinstance(outcome, Roi) else 0,
        lost_pixels=outcome.lost_pixels if isinstance(outcome, Roi) else 0,
        cut_away=cut_away,
        notes=outcome.notes if isinstance(outcome, Roi) else (),
        picture=tile(levels[0], detection, outcome, reference, config, caption=caption),
    )


def _unreadable(sample: Sample, reason: str) -> ExtractionRow:
    return ExtractionRow(
        sample=sample,
        outcome=reason,
        is_unreadable=True,
        num_candidates=0,
        lost_regions=0,
        lost_pixels=0,
        cut_away=0.0,
        notes=(),
        picture=blank_tile(f"{sample.title}: unusable\n{reason}"),
    )


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]]:
    """A `map` over processes, in order; in this process if there is only one worker."""
    if workers <= 1:
        yield lambda function, items: map(function, items)
        return
    with process_pool(workers, initializer=partial(cv2.setNumThreads, 1)) as pool:
        yield lambda function, items: pool.map(function, items, chunksize=2)
