"""Normal samples and pictures whose truth is known, without a network."""

import numpy as np
import pytest

from bearing_search.drift_checks.findings import PartComparison
from bearing_search.drift_checks.pictures import JudgedPicture
from bearing_search.drift_checks.report import findings_of
from bearing_search.runtime.reference import NormalReference, NormalSample
from bearing_search.runtime.verdict import Thresholds

LIMITS = Thresholds(ok=1.4, ng=1.4, rule="by hand")


def drawn(rng, count):
    """Brightness, score (which falls with brightness), radius, x and y of good parts."""
    light = rng.normal(100, 6, count)
    scores = 1 - 0.01 * (light - 100) + rng.normal(0, 0.1, count)
    return [light, scores, *(rng.normal(mean, 2, count) for mean in (200, 400, 300))]


def reference_of(columns, *, num_unseen, num_no_roi=0):
    samples = tuple(
        NormalSample(
            brightness=light,
            score=score if number < num_unseen else None,
            size_px=size,
            centre=(x, y),
        )
        for number, (light, score, size, x, y) in enumerate(
            zip(*(one.tolist() for one in columns), strict=True)
        )
    )
    return NormalReference(samples=samples, num_roi=len(samples), num_no_roi=num_no_roi)


def pictures_of(columns, *, num_no_roi=0):
    found = [
        JudgedPicture(
            part="LC",
            word=LIMITS.word(score),
            score=score,
            brightness=light,
            size_px=size,
            centre=(x, y),
        )
        for light, score, size, x, y in zip(*(one.tolist() for one in columns), strict=True)
    ]
    return found + [JudgedPicture(part="LC", word="no ROI")] * num_no_roi


@pytest.fixture
def findings():
    """Findings by cause, of good parts that `change` alters; seeded."""

    def find(
        change=lambda columns: columns, *, seed=0, count=80, unseen=60, confidence=0.95, **own
    ):
        rng = np.random.default_rng(seed)
        before, now = drawn(rng, 100), change(drawn(rng, count))
        part = PartComparison(
            part="LC",
            reference=reference_of(before, num_unseen=unseen),
            thresholds=LIMITS,
            pictures=pictures_of(now, num_no_roi=own.pop("num_no_roi", 0)),
            confidence=1 - (1 - confidence) / 8,
            **own,
        )
        return {one.cause: one for one in findings_of(part)}

    return find
