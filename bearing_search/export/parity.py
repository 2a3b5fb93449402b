"""Compares an exported detector with torch in fp32, in a fresh process. No torch.

Axis letters: n samples.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from bearing_search.errors import ParityError
from bearing_search.export.adversarial import adversarial_samples
from bearing_search.processes.pool import process_pool
from bearing_search.runtime.detector import Detector, load_detector
from bearing_search.runtime.preparing import Prepared
from bearing_search.runtime.schema import PartFacts, Precision
from bearing_search.runtime.verdict import SampleLevels, Verdict, Word

T = TypeVar("T")

BATCHES = (1, 3)
"""Batch sizes in which the exported detector runs."""

TOLERANCE: Mapping[Precision, float] = {"fp32": 0.001, "bf16": 0.1, "int8": 0.3}
"""Largest difference of scores, as a share of the deviation of normal scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a detector says about one sample."""

    name: str
    word: Word
    score: float | None
    is_adversarial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSamples:
    """Samples of a part that both detectors judge."""

    part: str
    samples: tuple[SampleLevels, ...]
    size: tuple[int, int]
    """Height and width of its photographs, for adversarial ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartParity:
    """How far an exported detector is from the trained one, on one part."""

    part: str
    compared: int
    adversarial: int
    largest: float
    """Largest difference of scores of its samples."""

    largest_adversarial: float
    tolerance: float
    """Allowed for its samples; for adversarial ones in proportion to how far they lie outside."""

    nearest: float
    """Smallest distance of a sample's score from a threshold."""

    flips: tuple[str, ...] = ()
    """One line for each verdict that is another one."""

    beyond: tuple[str, ...] = ()
    """One line for each score beyond the tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Result of the comparison."""

    parts: tuple[PartParity, ...]
    batches: tuple[int, ...] = BATCHES
    notes: tuple[str, ...] = field(default=())

    @property
    def passes(self) -> bool:
        """Whether every score is within its tolerance and no verdict flips."""
        return not any(part.flips or part.beyond for part in self.parts)

    def table(self) -> str:
        """Everything found, as lines for people."""
        lines = [
            f"{one.part}: {one.compared} samples, {one.adversarial} adversarial; largest "
            f"difference {one.largest:.2g} (allowed {one.tolerance:.2g}), adversarial "
            f"{one.largest_adversarial:.2g}; nearest score to a threshold {one.nearest:.2g}; "
            f"{len(one.flips)} verdicts flip"
            for one in self.parts
        ]
        for one in self.parts:
            lines += [f"  flips: {one.part}: {line}" for line in one.flips]
            lines += [f"  too far: {one.part}: {line}" for line in one.beyond]
        return "\n".join(lines)


def judged(
    detector: Detector, samples: PartSamples, batch: int
) -> Iterator[tuple[Prepared | Verdict, Verdict, bool]]:
    """Every sample of a part, prepared, with its verdict and whether it is adversarial.

    Args:
        detector: the one to ask.
        samples: of the part.
        batch: samples that go through the network at once.
    """
    like: list[Prepared] = []
    for chunk in _batches(samples.samples, batch):
        prepared = [detector.prepare(one) for one in chunk]
        like = like or [one for one in prepared if isinstance(one, Prepared)][:1]
        for one, verdict in zip(prepared, detector.judge_prepared(prepared), strict=True):
            yield one, verdict, False
    made = adversarial_samples(detector, samples.part, samples.size, like)
    for odd in _batches(made, batch):
        for one, verdict in zip(odd, detector.judge_prepared(odd), strict=True):
            yield one, verdict, True


def compared_of(verdict: Verdict, *, is_adversarial: bool) -> Compared:
    """What is kept of a verdict."""
    return Compared(
        name=verdict.name, word=verdict.word, score=verdict.score, is_adversarial=is_adversarial
    )


def exported_verdicts(
    folder: Path, parts: Sequence[PartSamples]
) -> dict[tuple[str, int], list[Compared]]:
    """What an exported detector says, by part and batch size; for a fresh process."""
    detector = load_detector(folder)
    return {
        (samples.part, batch): [
            compared_of(verdict, is_adversarial=is_odd)
            for _, verdict, is_odd in judged(detector, samples, batch)
        ]
        for samples in parts
        for batch in BATCHES
    }


def parity_of(
    folder: Path, parts: Sequence[PartSamples], wanted: Mapping[str, Sequence[Compared]]
) -> Parity:
    """Run an exported detector in a fresh process and compare it with the trained one.

    Args:
        folder: of the exported detector, complete.
        parts: samples to judge.
        wanted: part -> what torch in fp32 says about them, in order, with the same thresholds.

    Raises:
        ParityError: the process ended.
        BundleError, ResourceError: the detector cannot be loaded.
    """
    with process_pool(1) as pool:
        try:
            found = pool.submit(exported_verdicts, folder, list(parts)).result()
        except BrokenProcessPool:
            raise ParityError(
                "the process that ran the exported detector was killed, perhaps for lack of "
                "memory; nothing was written"
            ) from None
    detector = load_detector(folder, verifies=False)
    return Parity(
        parts=tuple(
            part_parity(
                detector.part_facts(part),
                part,
                wanted[part],
                [found[part, batch] for batch in BATCHES],
            )
            for part in wanted
        )
    )


def spread_of(scores: Sequence[float]) -> float:
    """Deviation of scores, in which differences are measured; of equal ones their size."""
    if not scores:
        return 1.0
    return float(np.std(scores)) or abs(float(np.mean(scores))) or 1.0


def part_parity(
    facts: PartFacts, part: str, wanted: Sequence[Compared], runs: Sequence[Sequence[Compared]]
) -> PartParity:
    """Compare what the exported detector says about a part with what the trained one does.

    Args:
        facts: of the part: thresholds and tolerance.
        part: its name.
        wanted: of the trained detector.
        runs: of the exported one, for each batch size, in the same order.
    """
    real = [one.score for one in wanted if one.score is not None and not one.is_adversarial]
    middle, spread = (float(np.median(real)) if real else 0.0), spread_of(real)
    flips: dict[str, None] = {}
    beyond: dict[str, None] = {}
    largest = {False: 0.0, True: 0.0}
    for run in runs:
        for ours, theirs in zip(wanted, run, strict=True):
            line = f"{ours.name}: {_said(ours)} in torch fp32, {_said(theirs)} exported"
            if ours.word != theirs.word:
                flips[line] = None
            if ours.score is None or theirs.score is None:
                continue
            difference = abs(ours.score - theirs.score)
            largest[ours.is_adversarial] = max(largest[ours.is_adversarial], difference)
            allowed = facts.score_tolerance
            if ours.is_adversarial:
                allowed *= max(1.0, abs(ours.score - middle) / spread)
            if not difference <= allowed:
                beyond[f"{line}, {difference:.2g} apart, allowed {allowed:.2g}"] = None
    edges = (facts.thresholds.ng, facts.thresholds.ok)
    return PartParity(
        part=part,
        compared=sum(not one.is_adversarial for one in wanted),
        adversarial=sum(one.is_adversarial for one in wanted),
        largest=largest[False],
        largest_adversarial=largest[True],
        tolerance=facts.score_tolerance,
        nearest=min((abs(score - edge) for score in real for edge in edges), default=float("inf")),
        flips=tuple(flips),
        beyond=tuple(beyond),
    )


def _batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    left = iter(items)
    while chunk := tuple(islice(left, size)):
        yield chunk


def _said(one: Compared) -> str:
    return one.word if one.score is None else f"{one.word} ({one.score:.6g})"
