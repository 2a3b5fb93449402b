"""What the labels of samples allow: metrics of pixels, or only of whole images.

Anomalous samples without a mask count in metrics of whole images only. The patch task of
fine-tuning does not learn from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bearing_search.data.samples import Sample

Level = Literal["pixel", "image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmaskedCount:
    """Anomalous samples of one part in one split, of which some or all have no mask."""

    part: str
    split: str
    unmasked: int
    """Number of them without a mask."""

    anomalous: int

    @property
    def text(self) -> str:
        """`LC: 3 of 8 anomalous samples in train have no mask`."""
        every = f"{self.unmasked} of {self.anomalous}"
        if self.unmasked == self.anomalous:
            every = "the" if self.anomalous == 1 else f"all {self.anomalous}"
        plural = self.anomalous != 1
        return (
            f"{self.part}: {every} anomalous sample{'s' * plural} in {self.split} "
            f"{'have' if plural else 'has'} no mask"
        )


def unmasked_counts(samples: Sequence[Sample]) -> tuple[UnmaskedCount, ...]:
    """Where anomalous samples have no mask: an entry for each such part and split, sorted."""
    anomalous = [sample for sample in samples if sample.is_anomalous]
    places = sorted({(s.part, s.split) for s in anomalous if s.is_unmasked})
    found = []
    for part, split in places:
        here = [s for s in anomalous if (s.part, s.split) == (part, split)]
        unmasked = sum(sample.is_unmasked for sample in here)
        found.append(UnmaskedCount(part=part, split=split, unmasked=unmasked, anomalous=len(here)))
    return tuple(found)


def unmasked_lines(samples: Sequence[Sample]) -> list[str]:
    """A sentence for each part and split with anomalous samples that have no mask."""
    lines = []
    for one in unmasked_counts(samples):
        counts = "they count" if one.unmasked > 1 else "it counts"
        others = one.anomalous - one.unmasked
        lesson = f"the other {others} only" if others else "synthetic defects instead"
        learns = f", and fine-tuning's patch task learns from {lesson}"
        lines.append(
            f"{one.text}: {counts} in metrics of whole images only"
            f"{learns if one.split == 'train' else ''}"
        )
    return lines


def objective_level(samples: Sequence[Sample]) -> Level:
    """Whether pixels or whole images can be the objective on samples that are held out.

    Pixels, if each part has an anomalous sample with a mask, or no anomalous sample at all: then
    synthetic defects are held out, whose masks are known. Otherwise some part would not count.

    Args:
        samples: the training samples of a search, or the test samples of a reproduction.
    """
    without = [one for one in unmasked_counts(samples) if one.unmasked == one.anomalous]
    return "image" if without else "pixel"
