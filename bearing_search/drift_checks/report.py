"""Compares the pictures of a folder with training, part by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearing_search.drift_checks.findings import Finding, PartComparison
from bearing_search.drift_checks.fixture import fixture_finding
from bearing_search.drift_checks.light import light_finding
from bearing_search.drift_checks.mix import mix_finding
from bearing_search.drift_checks.model import model_finding
from bearing_search.drift_checks.pictures import SILENT, JudgedPicture, Listener, judged_pictures
from bearing_search.errors import BundleError, ConfigError
from bearing_search.runtime.detector import Detector, load_detector


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDrift:
    """What is said about one part."""

    comparison: PartComparison
    findings: tuple[Finding, ...]
    """Light, fixture, model, mix."""

    @property
    def has_changed(self) -> bool:
        """Whether one cause has certainly changed."""
        return any(one.state == "changed" for one in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """What is said about the pictures of a folder."""

    confidence: float
    """That nothing is called changed, of all causes and parts, if nothing has changed."""

    parts: tuple[PartDrift, ...]

    @property
    def has_changed(self) -> bool:
        """Whether one cause of one part has certainly changed."""
        return any(one.has_changed for one in self.parts)

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        return {
            "drift": self.has_changed,
            "confidence": self.confidence,
            "parts": {
                one.comparison.part: {
                    "num_pictures": len(one.comparison.pictures),
                    "num_training": one.comparison.reference.num_roi
                    + one.comparison.reference.num_no_roi,
                    "confidence_of_each": one.comparison.confidence,
                    "findings": [finding.as_json() for finding in one.findings],
                }
                for one in self.parts
            },
        }


def drift(
    detector: Detector | str | Path,
    pictures: str | Path,
    *,
    part: str = "",
    confidence: float = 0.95,
    usual_ng: float | None = None,
    listener: Listener = SILENT,
) -> DriftReport:
    """Tell whether light, fixture, model or mix have changed since training.

    Args:
        detector: from `load_detector`, or its folder.
        pictures: as `predict` takes them, or a file with what `predict --json` printed.
        part: of pictures whose folder or manifest names none.
        confidence: that nothing is called changed if nothing has changed.
        usual_ng: share of NG that is usual on the line; None: not known.
        listener: is told how judging goes on.

    Raises:
        BundleError: the detector's folder cannot be used, or has nothing to compare with.
        ConfigError: a part is not known, or a share is out of range.
        DataError: there is no picture.
    """
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"confidence is {confidence:g}; wanted at least 50% and below 100%")
    if usual_ng is not None and not 0 <= usual_ng <= 1:
        raise ConfigError(f"the usual share of NG is {usual_ng:g}; wanted 0% to 100%")
    loaded = detector if isinstance(detector, Detector) else load_detector(detector)
    for name in (part,) if part else loaded.parts:
        if loaded.part_facts(name).normal_samples is None:
            raise BundleError(
                f"{loaded.folder}: was exported by a version that kept no normal samples of "
                f"{name} to compare with; export the detector again"
            )
    judged = judged_pictures(loaded, pictures, part=part, listener=listener)
    return compared(loaded, judged, confidence=confidence, usual_ng=usual_ng)


def compared(
    detector: Detector,
    pictures: Sequence[JudgedPicture],
    *,
    confidence: float,
    usual_ng: float | None = None,
) -> DriftReport:
    """The report on judged pictures; see `drift`.

    The risk of a false call is shared evenly among all checks of all parts (Bonferroni).
    """
    by_part: dict[str, list[JudgedPicture]] = {}
    for one in pictures:
        by_part.setdefault(one.part, []).append(one)
    checks = sum(_num_checks(detector, part) for part in by_part)
    each = 1 - (1 - confidence) / checks
    found = []
    for part, own in by_part.items():
        facts = detector.part_facts(part)
        assert facts.normal_samples is not None
        comparison = PartComparison(
            part=part,
            reference=facts.normal_samples,
            thresholds=facts.thresholds,
            pictures=own,
            confidence=each,
            usual_ng=usual_ng,
        )
        found.append(PartDrift(comparison=comparison, findings=findings_of(comparison)))
    return DriftReport(confidence=confidence, parts=tuple(found))


def findings_of(part: PartComparison) -> tuple[Finding, ...]:
    """Light, fixture, model and mix of one part."""
    light, fixture = light_finding(part), fixture_finding(part)
    looks_changed = "changed" in (light.state, fixture.state)
    model = model_finding(part, looks_changed=looks_changed)
    others_changed = looks_changed or model.state == "changed"
    return light, fixture, model, mix_finding(part, others_changed=others_changed)


def _num_checks(detector: Detector, part: str) -> int:
    """Light has two, the fixture four where a shape is looked for, model and mix one each."""
    reference = detector.part_facts(part).normal_samples
    has_shape = reference is not None and any(o.size_px is not None for o in reference.samples)
    return 8 if has_shape else 4
