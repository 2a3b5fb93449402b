"""A sample's levels -> input of the network, by the same code as in training.

Axis letters: h w pixels of the original, s side of the input, m side of the map, f inputs of a
sample (3 if each brightness image has a map of its own, otherwise 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from bearing_search.config import TrialConfig
from bearing_search.data.decoding.bit_depth import brightness_of
from bearing_search.data.decoding.picture import Picture
from bearing_search.data.part_reading import PartReading, num_pages
from bearing_search.data.samples import Sample, read_levels
from bearing_search.errors import DataError
from bearing_search.preprocess.brightness import check_levels
from bearing_search.preprocess.locate import detect
from bearing_search.preprocess.pipeline import NoRoi, extract_from
from bearing_search.preprocess.prepare import prepared_sample, shrink_any
from bearing_search.preprocess.shapes import Circle, Shape
from bearing_search.preprocess.window import Window, window_of
from bearing_search.runtime.schema import PartFacts
from bearing_search.runtime.verdict import SampleLevels, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A sample with a region of interest, ready for the network."""

    part: str
    name: str
    inputs: UInt8[np.ndarray, "f s s 3"]
    map_roi: Bool[np.ndarray, "m m"]
    """Region of interest at the size of the map."""

    window: Window
    picture_px: tuple[int, int]
    """Width and height of the original."""

    shape: Shape | None
    brightness: float
    """Mean grey level of the first channel in the region of interest."""

    notes: tuple[str, ...] = ()

    @property
    def size_px(self) -> float | None:
        """Radius or half major axis of its shape; None: it has none."""
        if self.shape is None:
            return None
        return self.shape.radius if isinstance(self.shape, Circle) else self.shape.semi_major


def prepare_sample(
    sample: SampleLevels, facts: PartFacts, config: TrialConfig
) -> Prepared | Verdict:
    """Read a sample and cut out its region of interest.

    Args:
        sample: files or arrays.
        facts: of its part.
        config: of the trial.

    Returns:
        The network's input, or a verdict without a score.
    """
    part, name = sample.part, sample.title
    try:
        count = _num_levels(sample)
        if facts.num_levels is not None and count != facts.num_levels:
            reason = (
                f"{name}: has {count} brightness levels; {part} was trained with {facts.num_levels}"
            )
            return Verdict(word="wrong levels", part=part, name=name, reason=reason)
        levels = _read(sample, facts)
        check_levels(part, len(levels), config.preprocess.levels)
        return _cut(sample, levels, facts, config)
    except DataError as error:
        return Verdict(word="unreadable", part=part, name=name, reason=_one_line(error))


def _cut(
    sample: SampleLevels,
    levels: Sequence[UInt8[np.ndarray, "h w ..."]],
    facts: PartFacts,
    config: TrialConfig,
) -> Prepared | Verdict:
    reference, settings, name = facts.reference, config.preprocess, sample.title
    height, width = levels[0].shape[:2]
    found = (
        None if reference.geometry == "none" else detect(levels[0], reference.geometry, settings)
    )
    nothing = np.zeros((height, width), dtype=bool)
    roi = extract_from(levels, nothing, found, reference, settings, name=name)
    if isinstance(roi, NoRoi):
        return Verdict(word="no ROI", part=sample.part, name=name, reason=roi.reason)
    map_px = config.protocol.map_px
    made = prepared_sample(roi, config.encoder.input_px, map_px)
    image = made.image
    inputs = image[None]
    if config.fusion != "channels":  # as `training.images.by_brightness`
        inputs = np.repeat(np.moveaxis(image, 2, 0)[..., None], 3, axis=3)
    return Prepared(
        part=sample.part,
        name=name,
        inputs=np.ascontiguousarray(inputs),
        map_roi=shrink_any(made.roi_mask, map_px),
        window=window_of(roi.shape, reference, settings, width=width, height=height),
        picture_px=(width, height),
        shape=roi.shape,
        brightness=float(image[..., 0][made.roi_mask].mean()) if made.roi_mask.any() else 0.0,
        notes=roi.notes,
    )


def _num_levels(sample: SampleLevels) -> int:
    levels = sample.levels
    if len(levels) == 1 and not isinstance(levels[0], np.ndarray):
        return num_pages(Path(levels[0]))
    return len(levels)


def _read(sample: SampleLevels, facts: PartFacts) -> list[UInt8[np.ndarray, "h w ..."]]:
    files = [level for level in sample.levels if not isinstance(level, np.ndarray)]
    if not files:
        arrays = [level for level in sample.levels if isinstance(level, np.ndarray)]
        return _from_arrays(sample.title, arrays, facts)
    if len(files) != len(sample.levels):
        raise DataError(f"{sample.title}: mixes files and arrays; give either")
    reading = PartReading(bits=facts.bits, num_levels=facts.num_levels)
    as_read = Sample(
        part=sample.part,
        split="test",
        defect="",
        name=sample.title,
        group=sample.title,
        is_anomalous=False,
        level_files=tuple(Path(file) for file in files),
        reading=reading,
    )
    try:
        return read_levels(as_read)
    except DataError as error:
        raise DataError(str(error).replace(as_read.title, sample.title)) from None


def _from_arrays(
    name: str, arrays: Sequence[np.ndarray], facts: PartFacts
) -> list[UInt8[np.ndarray, "h w ..."]]:
    if not arrays:
        raise DataError(f"{name}: has no brightness level")
    for array in arrays:
        is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
        if array.dtype not in (np.uint8, np.uint16) or not is_image or not array.size:
            raise DataError(
                f"{name}: is an array of {array.dtype} and shape {list(array.shape)}; wanted uint8 "
                "or uint16, (height, width) or (height, width, 3)"
            )
    if len({array.shape[:2] for array in arrays}) > 1:
        sizes = ", ".join(f"{array.shape[1]}x{array.shape[0]}" for array in arrays)
        raise DataError(f"{name}: its brightness levels differ in size ({sizes})")
    return [brightness_of(Picture(pixels=one), facts.bits, name=name) for one in arrays]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
