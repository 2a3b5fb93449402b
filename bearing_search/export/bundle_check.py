"""Checks a detector's folder: files, schema, and the score of the sample that travels with it."""

from dataclasses import dataclass
from pathlib import Path

from bearing_search.data.samples import read_image
from bearing_search.errors import BundleError, DataError
from bearing_search.runtime.detector import Detector, load_detector


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestResult:
    """What a detector says about its own sample."""

    part: str
    stored: float
    score: float
    allowed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCheck:
    """A detector whose files are whole and whose scores are those that it was exported with."""

    detector: Detector
    self_tests: tuple[SelfTestResult, ...]

    def lines(self) -> list[str]:
        """What was found, for people."""
        facts = self.detector.facts
        origin = facts.provenance
        return [
            f"{self.detector.folder}: {facts.format} in {facts.precision}, trial "
            f"{origin.get('trial', '?')} of {origin.get('sweep', '?')}; {len(facts.files)} files "
            "are those that were exported",
            *(
                f"{name}: OK below {part.thresholds.ok:.6g}, NG from {part.thresholds.ng:.6g} "
                f"({part.thresholds.rule})"
                for name, part in facts.parts.items()
            ),
            *(
                f"{one.part}: its own sample scores {one.score:.6g}, stored {one.stored:.6g} "
                f"(allowed difference {one.allowed:.2g})"
                for one in self.self_tests
            ),
        ]


def check_bundle(folder: str | Path) -> BundleCheck:
    """Check an exported detector: digests, schema, and the score of its own sample of each part.

    Raises:
        BundleError: a file is missing or altered, the schema is another, or a score differs.
        ResourceError: the program that runs it is not installed.
    """
    detector = load_detector(folder)
    results = []
    for test in detector.facts.self_tests:
        try:
            levels = [read_image(detector.folder / name) for name in test.levels]
        except DataError as error:
            raise BundleError(str(error)) from None
        verdict = detector.judge(levels, test.part, name=f"self-test of {test.part}")
        allowed = detector.part_facts(test.part).score_tolerance
        if verdict.score is None or not abs(verdict.score - test.score) <= allowed:
            said = verdict.reason if verdict.score is None else f"{verdict.score:.6g}"
            raise BundleError(
                f"{detector.folder}: its own sample of {test.part} gives {said}, stored "
                f"{test.score:.6g} (allowed difference {allowed:.2g}); the program that runs it "
                "computes otherwise here. Export it again on this machine, or in fp32"
            )
        results.append(
            SelfTestResult(part=test.part, stored=test.score, score=verdict.score, allowed=allowed)
        )
    return BundleCheck(detector=detector, self_tests=tuple(results))
