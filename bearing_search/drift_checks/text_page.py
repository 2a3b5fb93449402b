"""A drift report as text."""

from collections.abc import Iterator

from bearing_search.drift_checks.findings import Measure
from bearing_search.drift_checks.report import DriftReport, PartDrift
from bearing_search.runtime.schema import QUANTILES
from bearing_search.text.shares import share_text

_SHOWN = (1, 2, 3, 4, 5)
"""Indices of `QUANTILES` that are shown: 5, 25, 50, 75, 95 %."""

_TITLES = {"brightness": "mean grey level", "size_px": "radius, px", "score": "score"}


def drift_page(report: DriftReport) -> str:
    """What is said about each part, then quantiles of now beside those of training."""
    lines: list[str] = []
    for part in report.parts:
        lines += [*_part_lines(part), ""]
    verdict = "drift is certain" if report.has_changed else "no drift is certain"
    lines.append(
        f"{verdict} at {share_text(report.confidence)}; all intervals together hold with this "
        "confidence"
    )
    return "\n".join(lines)


def _part_lines(part: PartDrift) -> Iterator[str]:
    comparison = part.comparison
    words = [one.word for one in comparison.pictures]
    counts = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))
    reference = comparison.reference
    yield (
        f"{comparison.part}: {len(words)} picture{'s' * (len(words) != 1)} ({counts}) beside "
        f"{reference.num_roi + reference.num_no_roi} normal samples of training"
    )
    for one in part.findings:
        yield f"  {one.cause:<8} {one.state:<8} {one.sentence}"
        if one.advice:
            yield f"  {'':<17} -> {one.advice}"
    shown = [m for one in part.findings for m in one.measures if m.name in _TITLES]
    if shown:
        heads = "".join(f"{100 * QUANTILES[index]:>7.0f} %" for index in _SHOWN)
        yield f"  {'quantiles':<27}{heads}"
    for measure in shown:
        yield from _quantile_lines(measure)


def _quantile_lines(measure: Measure) -> Iterator[str]:
    rows = (("in training", measure.training), ("now", measure.now))
    for number, (name, values) in enumerate(rows):
        if values:
            title = _TITLES[measure.name] if number == 0 else ""
            numbers = "".join(f"{values[index]:9.4g}" for index in _SHOWN)
            yield f"  {title:<15} {name:<11}{numbers}"
