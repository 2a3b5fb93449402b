"""Thresholds and light range of one part, from new normal pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from bearing_search.analysis.intervals import rate_interval
from bearing_search.analysis.operating.thresholds import ALPHA, PooledScores, promised_threshold
from bearing_search.errors import PromiseError
from bearing_search.export.parity import Compared, PartSamples, compared_of, judged
from bearing_search.export.trained import normal_sample, quantiles_of, with_words
from bearing_search.runtime.detector import Detector
from bearing_search.runtime.preparing import Prepared
from bearing_search.runtime.reference import NormalReference, NormalSample, thinned
from bearing_search.runtime.schema import PartFacts
from bearing_search.runtime.verdict import SampleLevels, Thresholds
from bearing_search.text.shares import share_text

RULE = f"at most {ALPHA:.0%} false alarms promised, from new normal pictures"
FOLDS = 5
"""Parts into which pictures are divided to check the threshold on others than its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedPart:
    """What was fitted to the new normal pictures of a part."""

    part: str
    before: PartFacts
    facts: PartFacts
    scores: tuple[float, ...]
    compared: tuple[Compared, ...]
    """What torch in fp32 says, adversarial pictures included, with the new thresholds."""

    samples: PartSamples
    false_alarms: tuple[int, int] | None
    """False alarms, and pictures, at thresholds that were set without them; None: too few."""

    def lines(self) -> list[str]:
        """What was found, for people."""
        old, new = self.before.thresholds, self.facts.thresholds
        ng = sum(score >= old.ng for score in self.scores)
        lines = [
            f"{self.part}: NG from {new.ng:.6g}, was {old.ng:.6g}, at which {ng} of "
            f"{len(self.scores)} new normal pictures were NG"
        ]
        if self.false_alarms is None:
            lines.append("  too few pictures to check the threshold on others than its own")
        else:
            found = rate_interval(*self.false_alarms)
            lines.append(
                f"  at thresholds set without them, {self.false_alarms[0]} of "
                f"{self.false_alarms[1]} are NG: {share_text(found.value)} "
                f"[{100 * found.low:.3g}, {100 * found.high:.3g}]"
            )
        if new.ng > old.ng:
            lines.append(
                "  the threshold is higher: defects that score in between are OK now; judge known "
                "ones before using it"
            )
        light = self.facts.normal["brightness"]
        lines.append(f"  mean grey levels of the new pictures: {light[0]:.3g} to {light[-1]:.3g}")
        return lines


def updated_part(
    torch: Detector, part: str, samples: Sequence[SampleLevels], tell: Callable[[str], None]
) -> UpdatedPart:
    """Fit thresholds and light range to new normal pictures.

    Args:
        torch: the detector, run by torch in fp32.
        part: of the pictures.
        samples: good parts.
        tell: is told what is done, and what is left out.

    Raises:
        PromiseError: there are too few pictures.
    """
    tell(f"{part}: judging {len(samples)} pictures with torch in fp32")
    compared: list[Compared] = []
    normal: list[NormalSample] = []
    num_no_roi = 0
    size = _size(torch, samples)
    together = PartSamples(part=part, samples=tuple(samples), size=size)
    for prepared, verdict, is_odd in judged(torch, together, batch=8):
        compared.append(compared_of(verdict, is_adversarial=is_odd))
        if is_odd:
            continue
        if verdict.score is None:
            tell(f"left out: {verdict.reason}")
        num_no_roi += verdict.word == "no ROI"
        if isinstance(prepared, Prepared) and verdict.score is not None:
            normal.append(normal_sample(prepared, verdict.score))
    scores = np.array([one.score for one in normal], dtype=float)
    before = torch.part_facts(part)
    limit = _limit(scores, before.score_tolerance)
    if limit is None:
        raise PromiseError(
            f"{part}: {len(scores)} normal pictures with a score cannot promise at most "
            f"{ALPHA:.0%} false alarms; {round(1 / ALPHA) - 1} or more are needed"
        )
    thresholds = Thresholds(ok=limit, ng=limit, rule=RULE)
    sizes = [one.size_px for one in normal if one.size_px is not None]
    ranges = {
        "score": scores.tolist(),
        "brightness": [one.brightness for one in normal],
        "size_px": sizes,
    }
    facts = replace(
        before,
        thresholds=thresholds,
        normal={name: quantiles_of(values) for name, values in ranges.items() if values},
        normal_samples=NormalReference(
            samples=thinned(normal), num_roi=len(normal), num_no_roi=num_no_roi
        ),
    )
    return UpdatedPart(
        part=part,
        before=before,
        facts=facts,
        scores=tuple(scores.tolist()),
        compared=tuple(with_words(compared, thresholds)),
        samples=together,
        false_alarms=false_alarms(scores, before.score_tolerance),
    )


def _size(detector: Detector, samples: Sequence[SampleLevels]) -> tuple[int, int]:
    for sample in samples:
        prepared = detector.prepare(sample)
        if isinstance(prepared, Prepared):
            return prepared.picture_px[1], prepared.picture_px[0]
    return 64, 64  # none can be used, which is refused below


def _limit(scores: Float[np.ndarray, " n"], tolerance: float) -> float | None:
    pool = PooledScores(
        scores=scores,
        is_anomalous=np.zeros(len(scores), dtype=bool),
        groups=tuple(map(str, range(len(scores)))),
        centre=0.0,
        scale=1.0,
    )
    limit = promised_threshold(pool) if len(scores) else None
    if limit is None or limit <= scores.max():
        return limit
    # next to the highest score, where the exported program might round to the other side
    return float(scores.max()) + max(2 * tolerance, limit - float(scores.max()))


def false_alarms(scores: Float[np.ndarray, " n"], tolerance: float) -> tuple[int, int] | None:
    """False alarms of every fold at the threshold that the others set, and pictures; None: too few.

    Every fifth picture is in one fold.

    Args:
        scores: of normal pictures.
        tolerance: how far a score of the exported program may be from that of torch.
    """
    hits = 0
    for fold in range(FOLDS):
        own = np.arange(len(scores)) % FOLDS == fold
        limit = _limit(scores[~own], tolerance)
        if limit is None:
            return None
        hits += int((scores[own] >= limit).sum())
    return hits, len(scores)
