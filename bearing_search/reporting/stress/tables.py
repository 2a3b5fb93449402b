"""Tables of a stress set as Markdown: false alarms by change, defects found by angle."""

from collections.abc import Iterable, Sequence

from bearing_search.analysis.operating.operating_points import OperatingPoint
from bearing_search.analysis.operating.stress import StressedPart
from bearing_search.preprocess.stress.names import DENT_ANGLES, UNCHANGED


def stress_lines(parts: Sequence[StressedPart], points: Sequence[OperatingPoint]) -> list[str]:
    """Both tables with a sentence on each part; empty without a stress set.

    Args:
        parts: the scores.
        points: thresholds, of any part.
    """
    if not parts:
        return []
    lines = ["## Stress set", ""]
    counts = ", ".join(f"{one.part} {len(one.scores[UNCHANGED])}" for one in parts)
    lines += [
        f"Normal test samples ({counts}) with light or camera changed, one change at a time; "
        "flagged ones are false alarms. Thresholds are those above; these numbers choose nothing.",
        "",
    ]
    for changes in dict.fromkeys(one.changes for one in parts):
        lines += _table([one for one in parts if one.changes == changes], changes, points)
    dented = [one for one in parts if one.dents]
    if not dented:
        return lines
    lines += [
        "The same drawn dent at angles of the same parts, clockwise from the right (drawn defects: "
        "compare angles, do not read it as a rate of real ones):",
        "",
        *_table(dented, tuple(DENT_ANGLES), points),
        *(f"* {place_sentence(one)}" for one in dented),
    ]
    return lines


def place_sentence(part: StressedPart) -> str:
    """How much a dent's score depends on where it lies."""
    typical = {DENT_ANGLES[name]: part.median(name) for name in part.dents}
    low, high = min(typical, key=typical.__getitem__), max(typical, key=typical.__getitem__)
    hidden, count = part.hidden_dents()
    return (
        f"{part.part}: median score {typical[low]:.4g} (at {low} deg) to {typical[high]:.4g} "
        f"(at {high} deg), {part.median(UNCHANGED):.4g} without a dent; {hidden} of {count} dents "
        "score no higher than the same part without one."
    )


def thresholds_of(part: str, points: Iterable[OperatingPoint]) -> dict[float, str]:
    """Each threshold of a part with the rules that led to it."""
    found: dict[float, list[str]] = {}
    for point in points:
        if point.part == part:
            found.setdefault(point.threshold, []).append(point.rule)
    return {threshold: "; ".join(rules) for threshold, rules in found.items()}


def _table(
    parts: Iterable[StressedPart], variants: Sequence[str], points: Sequence[OperatingPoint]
) -> list[str]:
    titles = [name.removeprefix("dent at ") for name in variants]
    lines = [f"| part | | {' | '.join(titles)} |", "| --- " * (len(titles) + 2) + "|"]
    for one in parts:
        lines.append(_row(one.part, "median score", [f"{one.median(v):.4g}" for v in variants]))
        lines += [
            _row(
                one.part,
                f"flagged at {threshold:.4g}",
                [_flagged_text(one, variant, threshold) for variant in variants],
            )
            for threshold in thresholds_of(one.part, points)
        ]
    return [*lines, ""]


def _row(part: str, what: str, cells: Sequence[str]) -> str:
    return f"| {part} | {what} | {' | '.join(cells)} |"


def _flagged_text(part: StressedPart, variant: str, threshold: float) -> str:
    flagged, count = part.flagged(variant, threshold)
    lost = part.lost(variant)
    return f"{flagged} of {count}" + (f" ({lost} no ROI)" if lost else "")
