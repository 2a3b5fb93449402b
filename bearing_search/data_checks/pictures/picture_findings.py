"""What the pictures of a part give to worry about: black or identical ones, squeezed ones, defects
that are smaller than a patch."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bearing_search.data.samples import Sample
from bearing_search.data_checks.findings import Finding, Severity
from bearing_search.data_checks.pictures.picture_report import NEARLY_BLACK, Measured, PartPictures

SQUEEZED = 1.6
"""Ratio of the sides from which resizing to a square is named; the crop of the paper has 1.5."""

_SHOWN = 5


def picture_findings(measured: Sequence[Measured], pictures: PartPictures) -> list[Finding]:
    """Findings about the pictures of one part, one of each kind; five samples are named."""
    return [*_black(measured), *_identical(measured), *_squeezed(measured), *_small(pictures)]


def _black(measured: Sequence[Measured]) -> Iterator[Finding]:
    normal = [one for one in measured if not one[0].is_anomalous]
    black = [sample for sample, facts in normal if facts.brightest < NEARLY_BLACK]
    if black:
        yield _finding(
            "warning",
            "black",
            f"{len(black)} of {len(normal)} normal samples are nearly black: {_names(black)}",
            "Masks among the pictures? Move them, or remove the samples",
            black,
        )


def _identical(measured: Sequence[Measured]) -> Iterator[Finding]:
    normal = [one for one in measured if not one[0].is_anomalous]
    counts = Counter(facts.digest for _, facts in normal)
    twins = [sample for sample, facts in normal if counts[facts.digest] > 1]
    if twins:
        shown = sum(count > 1 for count in counts.values())
        yield _finding(
            "warning",
            "identical",
            f"{len(twins)} of {len(normal)} normal samples show {shown} picture{'s' * (shown > 1)} "
            f"only: {_names(twins)}",
            "Keep one of each",
            twins,
        )


def _squeezed(measured: Sequence[Measured]) -> Iterator[Finding]:
    def ratio(one: Measured) -> float:
        sides = (one[1].crop_width_px, one[1].crop_height_px)
        return max(sides) / min(sides) if min(sides) else 1.0

    long = sorted((one for one in measured if ratio(one) >= SQUEEZED), key=lambda one: -ratio(one))
    if long:
        sample, facts = long[0]
        yield _finding(
            "warning",
            "aspect",
            f"{len(long)} of {len(measured)} pictures are squeezed into a square, up to "
            f"{ratio(long[0]):.1f} times in one direction: {sample.name} is "
            f"{facts.crop_width_px}x{facts.crop_height_px}",
            "Crop or tile them, if small defects matter",
            [sample for sample, _ in long],
        )


def _small(pictures: PartPictures) -> Iterator[Finding]:
    smallest = pictures.smallest
    if smallest is None or not smallest.inputs:
        return
    best = max(smallest.inputs, key=lambda one: one.patches)
    if best.patches < 1:
        part = smallest.sample.split("/", 1)[0]
        yield Finding(
            severity="warning",
            kind="size",
            part=part,
            text=f"{part}: the smallest defect has {smallest.area_px} px, which is "
            f"{best.area_px:.3g} px of the input and {best.patches:.2g} patches at "
            f"encoder.input_px {best.input_px}: {smallest.sample}",
            advice=f"One patch needs encoder.input_px {best.one_patch_from_px}",
            samples=(smallest.sample,),
        )


def _finding(
    severity: Severity, kind: str, text: str, advice: str, samples: Sequence[Sample]
) -> Finding:
    return Finding(
        severity=severity,
        kind=kind,
        part=samples[0].part,
        text=f"{samples[0].part}: {text}",
        advice=advice,
        samples=tuple(sample.title for sample in samples),
    )


def _names(samples: Sequence[Sample]) -> str:
    more = f" and {len(samples) - _SHOWN} more" if len(samples) > _SHOWN else ""
    return ", ".join(sample.name for sample in samples[:_SHOWN]) + more
