"""What the measured facts of a part mean: levels swapped or moved, masks lost or empty."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from bearing_search.data.decoding.bit_depth import PartDepth
from bearing_search.data.readings import depth_lines
from bearing_search.data.samples import Sample
from bearing_search.data_checks.findings import Finding, Severity
from bearing_search.data_checks.masks.mask_findings import mask_findings
from bearing_search.data_checks.quality import PartFacts, SampleFacts

SHIFT_FROM_PX = 1.5
"""Levels that lie further apart smear a dent of few pixels."""

RESPONSE_FROM = 0.2
"""Peaks of registered levels: .5 and more, a level that is nearly black included."""

_TIE_LEVELS = 1.0
_NAMED = 6

_Measured = tuple[Sample, SampleFacts]


def quality_findings(part: PartFacts) -> list[Finding]:
    """Everything that the pixels of a part give to worry about."""
    measured = list(zip(part.samples, part.facts, strict=True))
    return [
        *_regions(part, measured),
        *_masks(part.part, measured),
        *mask_findings(part.part, [(s, f.mask) for s, f in measured if s.mask_files]),
        *_brightness(part.part, measured),
        *_registration(part.part, measured),
    ]


def depth_findings(depths: Mapping[str, PartDepth]) -> list[Finding]:
    """Parts that use fewer bits of 16 than there are, or may: a warning where it is in doubt."""
    return [
        Finding(
            severity="warning" if depths[part].doubt else "note",
            kind="depth",
            part=part,
            text=line,
        )
        for part, line in depth_lines(depths).items()
    ]


def lost_share(part: PartFacts) -> float:
    """Share of the marked pixels that lie outside the region of interest, in [0, 1].

    A sample without a region of interest loses all of them.
    """
    marked = sum(facts.marked_px for facts in part.facts)
    lost = sum(facts.marked_px if facts.no_roi else facts.lost_px for facts in part.facts)
    return lost / marked if marked else 0.0


def _regions(part: PartFacts, measured: Sequence[_Measured]) -> Iterator[Finding]:
    if part.no_reference:
        yield _of_part("problem", "roi", part.part, part.no_reference, "")
        return
    missing = [sample for sample, facts in measured if facts.no_roi]
    if missing:
        yield Finding(
            severity="warning",
            kind="roi",
            part=part.part,
            text=f"{part.part}: {len(missing)} of {len(measured)} samples have no region of "
            f"interest and are not scored: {_names(missing)}",
            advice="Look at them with `roi`",
            samples=_titles(missing),
        )
    cut = [sample for sample, facts in measured if facts.lost_px]
    if cut:
        regions = sum(facts.lost_regions for _, facts in measured)
        yield Finding(
            severity="warning",
            kind="mask",
            part=part.part,
            text=f"{part.part}: {100 * lost_share(part):.1f} % of the marked pixels lie outside "
            f"the region of interest, {regions} regions wholly; those cannot be found: "
            f"{_names(cut)}",
            advice="Widen preprocess.circle.ring_half_width_px or preprocess.ellipse.crop_px, or "
            "correct the masks",
            samples=_titles(cut),
        )


def _masks(part: str, measured: Sequence[_Measured]) -> Iterator[Finding]:
    empty = [s for s, facts in measured if s.is_anomalous and s.mask_files and not facts.marked_px]
    if empty:
        yield Finding(
            severity="warning",
            kind="mask",
            part=part,
            text=f"{part}: {len(empty)} anomalous samples have an empty mask; the patch task "
            f"learns them as normal, and no pixel of them can be found: {_names(empty)}",
            advice="Draw the masks, or remove the samples",
            samples=_titles(empty),
        )


def _brightness(part: str, measured: Sequence[_Measured]) -> Iterator[Finding]:
    """The brightest level is b0; one that differs from the others was named wrongly."""
    if not measured or len(measured[0][1].medians) < 2:
        return
    swapped = [(s, facts) for s, facts in measured if not _falls(facts.medians)]
    if 2 * len(swapped) > len(measured):
        typical = sorted(facts.medians for _, facts in swapped)[len(swapped) // 2]
        yield _of_part(
            "warning",
            "brightness",
            part,
            f"{part}: in {len(swapped)} of {len(measured)} samples b0 is not the brightest level "
            f"(median grey levels such as {_greys(typical)})",
            "Name the brightest level b0, the darkest last",
        )
        return
    for sample, facts in swapped:
        yield Finding(
            severity="warning",
            kind="brightness",
            part=part,
            text=f"{sample.title}: its levels are not in the order of the others of {part} (median "
            f"grey levels {_greys(facts.medians)})",
            advice="Swap the files",
            samples=(sample.title,),
        )


def _falls(medians: Sequence[float]) -> bool:
    """Brightest first; levels that are equally dark are in any order."""
    return all(a >= b - _TIE_LEVELS for a, b in pairwise(medians))


def _registration(part: str, measured: Sequence[_Measured]) -> Iterator[Finding]:
    moved: list[tuple[Sample, str]] = []
    for sample, facts in measured:
        for shift in facts.shifts:
            length = (shift.x**2 + shift.y**2) ** 0.5
            if length > SHIFT_FROM_PX and shift.response >= RESPONSE_FROM:
                moved.append(
                    (sample, f"b{shift.level} by ({_signed(shift.x)}, {_signed(shift.y)}) px")
                )
    if moved:
        told = ", ".join(f"{sample.name} {how}" for sample, how in moved[:_NAMED])
        more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
        yield Finding(
            severity="warning",
            kind="registration",
            part=part,
            text=f"{part}: levels lie beside brightness 0: {told}{more}; the three become the "
            "channels of one image",
            advice="Register them, or photograph them without moving part or camera",
            samples=_titles([sample for sample, _ in moved]),
        )


def _signed(length: float) -> str:
    return f"{round(length, 1) + 0.0:+.1f}"  # no -0.0


def _of_part(severity: Severity, kind: str, part: str, text: str, advice: str) -> Finding:
    return Finding(severity=severity, kind=kind, part=part, text=text, advice=advice)


def _greys(medians: Sequence[float]) -> str:
    return ", ".join(f"{median:.0f}" for median in medians)


def _titles(samples: Sequence[Sample]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sample.title for sample in samples))


def _names(samples: Sequence[Sample]) -> str:
    more = f" and {len(samples) - _NAMED} more" if len(samples) > _NAMED else ""
    return ", ".join(sample.name for sample in samples[:_NAMED]) + more
