"""The pictures of one part in numbers: sizes, brightness, and its defects in patches."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bearing_search.data.samples import Sample
from bearing_search.data_checks.pictures.picture_facts import PictureFacts

NEARLY_BLACK = 16
"""A picture whose brightest grey level is below it shows nothing."""

SATURATED = 0.05
"""Share of pixels at 255 from which a picture counts as saturated."""

_FULL_DEPTH = 8

Measured = tuple[Sample, PictureFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSize:
    """An input that an encoder of the search may have."""

    input_px: int
    patch_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectInInput:
    """One marked region as one input size shows it."""

    input_px: int
    area_px: float
    """Area in pixels of the input."""

    patches: float
    """Area in patches of the encoder."""

    one_patch_from_px: int
    """Smallest input size that gives it an area of one patch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectSize:
    """One marked region."""

    sample: str
    area_px: int
    """Area in pixels of the picture."""

    inputs: tuple[DefectInInput, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPictures:
    """All pictures of a part, both splits."""

    bits: int
    levels: int
    sizes: Mapping[str, int]
    """`640x480` -> number of samples, most frequent first."""

    black_share: float
    """Share of the samples that are nearly black, in [0, 1]."""

    saturated_share: float
    """Share of the samples with many pixels at 255."""

    marked_shares: Mapping[str, float]
    """Title of each sample with a mask -> marked share of its picture."""

    smallest: DefectSize | None = None
    """Of all marked regions; None: nothing is marked."""

    median: DefectSize | None = None
    largest: DefectSize | None = None


def part_pictures(measured: Sequence[Measured], inputs: Sequence[InputSize]) -> PartPictures:
    """Sum up the pictures of one part.

    Args:
        measured: its samples, at least one.
        inputs: sizes that its encoder may have; empty: unknown patches.
    """
    sample = measured[0][0]
    sizes = Counter(f"{facts.width_px}x{facts.height_px}" for _, facts in measured)
    regions = sorted(
        ((area, one, facts) for one, facts in measured for area in facts.regions_px),
        key=lambda region: (region[0], region[1].title),
    )
    found = [_defect(*region, inputs) for region in regions]
    return PartPictures(
        bits=sample.reading.bits or _FULL_DEPTH,
        levels=sample.num_levels,
        sizes=dict(sizes.most_common()),
        black_share=sum(f.brightest < NEARLY_BLACK for _, f in measured) / len(measured),
        saturated_share=sum(f.saturated_share > SATURATED for _, f in measured) / len(measured),
        marked_shares={
            one.title: sum(facts.regions_px) / (facts.width_px * facts.height_px)
            for one, facts in measured
            if one.mask_files
        },
        smallest=found[0] if found else None,
        median=found[(len(found) - 1) // 2] if found else None,
        largest=found[-1] if found else None,
    )


def _defect(
    area: int, sample: Sample, facts: PictureFacts, inputs: Sequence[InputSize]
) -> DefectSize:
    crop_px = facts.crop_width_px * facts.crop_height_px
    return DefectSize(
        sample=sample.title,
        area_px=area,
        inputs=tuple(_in_input(area / crop_px, one) for one in inputs if crop_px),
    )


def _in_input(share: float, size: InputSize) -> DefectInInput:
    area = share * size.input_px**2
    wanted = size.patch_px / math.sqrt(share)
    return DefectInInput(
        input_px=size.input_px,
        area_px=area,
        patches=area / size.patch_px**2,
        one_patch_from_px=size.patch_px * math.ceil(wanted / size.patch_px - 1e-9),
    )
