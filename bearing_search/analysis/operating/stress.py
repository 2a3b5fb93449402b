"""Scores of a stress set: normal samples with changed light, camera or one dent.

They describe the chosen setting and choose nothing: they are made of test samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bearing_search.analysis.comparison import FoldPredictions
from bearing_search.data.fold_key import FoldKey
from bearing_search.preprocess.stress.names import DENT_ANGLES, UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class StressedPart:
    """Image scores of all variants of a part's stressed samples."""

    part: str
    scores: Mapping[str, Mapping[str, float]]
    """Variant -> sample -> score; a sample whose region was not found again is missing."""

    @property
    def changes(self) -> tuple[str, ...]:
        """Variants without a dent, `unchanged` first."""
        return tuple(name for name in self.scores if name not in DENT_ANGLES)

    @property
    def dents(self) -> tuple[str, ...]:
        """Variants with a dent, by angle."""
        return tuple(name for name in DENT_ANGLES if name in self.scores)

    def median(self, variant: str) -> float:
        """Median score of a variant; NaN if none has a score."""
        found = list(self.scores[variant].values())
        return float(np.median(found)) if found else float("nan")

    def flagged(self, variant: str, threshold: float) -> tuple[int, int]:
        """How many of a variant's samples score at or above the threshold, and their number."""
        found = self.scores[variant].values()
        return sum(score >= threshold for score in found), len(found)

    def lost(self, variant: str) -> int:
        """Number of samples in which the change hid the region of interest."""
        return (
            0 if variant in DENT_ANGLES else len(self.scores[UNCHANGED]) - len(self.scores[variant])
        )

    def hidden_dents(self) -> tuple[int, int]:
        """How many dents score no higher than the same sample without one, and their number."""
        own = self.scores[UNCHANGED]
        pairs = [
            score <= own[sample]
            for variant in self.dents
            for sample, score in self.scores[variant].items()
        ]
        return sum(pairs), len(pairs)


def stressed_parts(predictions: FoldPredictions) -> tuple[StressedPart, ...]:
    """The scores of each part's stress set.

    Args:
        predictions: of the variants, whose kinds of defect are the names of the changes.
    """
    parts = []
    for key, scored in predictions.items():
        scores: dict[str, dict[str, float]] = {UNCHANGED: {}}
        for title, variant, score in zip(
            scored.names, scored.defects, scored.image_scores.tolist(), strict=True
        ):
            scores.setdefault(variant, {})[title.split("/", 3)[3]] = score
        parts.append(StressedPart(part=FoldKey.parse(key).part, scores=scores))
    return tuple(parts)
