"""What the facts of a part's masks mean: too much is marked, smeared values, turned masks."""

from collections.abc import Iterator, Sequence

import numpy as np

from bearing_search.data.samples import Sample
from bearing_search.data_checks.findings import Finding
from bearing_search.data_checks.masks.mask_facts import TURNS, MaskFacts

MOST_MARKED = 0.5
"""Share of a picture, or of its region of interest, that a defect rarely exceeds."""

FEWEST_TO_TELL = 6
"""Masks of a part whose contrasts are compared; with fewer, chance would turn some."""

_CLEARLY = 1.5
"""Factor by which a turned mask must fit better to count."""

_MOST_OF, _FEW_OF = 0.6, 0.15
"""Shares of a part's masks that fit clearly better, and clearly worse. On two sets of photographs
73 to 92 % fitted better as they were, and at most 12 % worse."""

_LEAST_CONTRAST = 1.0
"""What is marked differs from its surroundings by as much as they differ among themselves."""

_SHOWN = 5

_Measured = tuple[Sample, MaskFacts]


def mask_findings(part: str, measured: Sequence[_Measured]) -> list[Finding]:
    """Everything that the masks of a part give to worry about.

    Args:
        measured: samples with a mask.
    """
    return [
        *_large(part, measured),
        *_smeared(part, measured),
        *_void(part, measured),
        *_turned(part, measured),
    ]


def _large(part: str, measured: Sequence[_Measured]) -> Iterator[Finding]:
    """Masks that mark more than half; the advice says inverted where they look it."""
    large = [
        (sample, max(facts.marked_share, facts.roi_share), facts.has_inner_border)
        for sample, facts in measured
        if max(facts.marked_share, facts.roi_share) > MOST_MARKED
    ]
    if not large:
        return
    large.sort(key=lambda one: -one[1])
    told = ", ".join(f"{sample.name} {100 * share:.0f} %" for sample, share, _ in large[:_SHOWN])
    inverted = sum(is_inverted for *_, is_inverted in large)
    looks = f"; {inverted} mark all of the border and look inverted" if inverted else ""
    yield _finding(
        part,
        f"{part}: {len(large)} of {len(measured)} masks mark more than half of the picture or of "
        f"the region of interest: {told}{_more(len(large))}{looks}",
        "Defects must be above 0 and everything else 0: look at the masks, and invert or redraw "
        "them",
        [sample for sample, *_ in large],
    )


def _smeared(part: str, measured: Sequence[_Measured]) -> Iterator[Finding]:
    cut = [sample for sample, facts in measured if facts.is_cut_at_half]
    if cut:
        yield _finding(
            part,
            f"{part}: {len(cut)} of {len(measured)} masks are smeared by compression or resampling "
            f"and are cut at half of their maximum: {_names(cut)}",
            "Save masks as PNG, at the size of the picture, with two values",
            cut,
        )


def _void(part: str, measured: Sequence[_Measured]) -> Iterator[Finding]:
    suspects = [sample for sample, facts in measured if facts.suspects_void]
    if suspects:
        yield _finding(
            part,
            f"{part}: {len(suspects)} of {len(measured)} masks hold 255 beside small numbers, as "
            f"the void border of Pascal VOC's palettes; it counts as defect: {_names(suspects)}",
            "If it is void, set preprocess.void_value: 255",
            suspects,
        )


def _turned(part: str, measured: Sequence[_Measured]) -> Iterator[Finding]:
    """Masks that, turned one way, stand out from their surroundings much better than as they are.

    A part is judged as a whole: one mask alone may fit elsewhere by chance.
    """
    telling = [(sample, facts.contrasts) for sample, facts in measured if facts.contrasts]
    if len(telling) < FEWEST_TO_TELL:
        return
    found = np.array([contrasts for _, contrasts in telling])
    medians = np.median(found, axis=0)
    best = int(medians.argmax())
    better = found[:, best] > _CLEARLY * found[:, 0]
    worse = found[:, 0] > _CLEARLY * found[:, best]
    stands_out = medians[best] > max(2 * medians[0], _LEAST_CONTRAST)
    if not stands_out or better.mean() < _MOST_OF or worse.mean() > _FEW_OF:
        return
    chosen = [telling[place][0] for place in np.flatnonzero(better)]
    yield _finding(
        part,
        f"{part}: {len(chosen)} of {len(telling)} masks fit their pictures better {TURNS[best]}: "
        f"what they mark then stands out {medians[best]:.1f} from its surroundings, as they are "
        f"{medians[0]:.1f} (medians): {_names(chosen)}",
        "Orientation tags are obeyed, in pictures and masks: compare both in a viewer, and turn "
        "the masks",
        chosen,
    )


def _finding(part: str, text: str, advice: str, samples: Sequence[Sample]) -> Finding:
    return Finding(
        severity="warning",
        kind="mask",
        part=part,
        text=text,
        advice=advice,
        samples=tuple(sample.title for sample in samples),
    )


def _names(samples: Sequence[Sample]) -> str:
    return ", ".join(sample.name for sample in samples[:_SHOWN]) + _more(len(samples))


def _more(number: int) -> str:
    return f" and {number - _SHOWN} more" if number > _SHOWN else ""
