"""Tables of scores by kind or size of defect, or without a brightness level, as Markdown."""

import math
from collections.abc import Sequence

from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.subsets import SubsetRow
from bearing_search.analysis.unseen_kinds import UnseenKind
from bearing_search.reporting.sentences import interval_text


def subset_table(title: str, rows: Sequence[SubsetRow], *, shows_alarms: bool = False) -> list[str]:
    """The rows as a table, with a column for each threshold; empty without rows.

    Args:
        title: heading of the second column.
        rows: the rows, in the order in which they are shown.
        shows_alarms: whether false alarms have columns, because the rows differ in them.
    """
    if not rows:
        return []
    rules = list(dict.fromkeys(rule for row in rows for rule in row.found))
    columns = ["part", title, "samples"]
    for rule in rules:
        columns += [f"found: {rule}", *([f"false alarms: {rule}"] if shows_alarms else [])]
    has_pixels = any(row.pixel_ap is not None for row in rows)
    columns += ["image AUROC", *(["pixel AP"] if has_pixels else [])]
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for row in rows:
        cells = [row.part, subset_title(row), str(row.samples)]
        for rule in rules:
            cells.append(found_text(row.found.get(rule), row.samples))
            if shows_alarms:
                cells.append(share_text(row.false_alarms.get(rule)))
        cells += [interval_text(row.image_auroc)]
        cells += [_pixel_text(row.pixel_ap)] if has_pixels else []
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def unseen_page(name: str, trial: int, rows: Sequence[UnseenKind], notes: Sequence[str]) -> str:
    """What a trial's setting makes of kinds of defect that it has not learned from, as Markdown.

    Args:
        name: of the sweep.
        trial: number of the trial.
        rows: a row for each part and kind.
        notes: caveats of the sweep.
    """
    columns = ["part", "kind", "samples"]
    for what in ("found", "image AUROC", "pixel AP"):
        columns += [f"{what}, unseen", f"{what}, seen"]
    lines = [
        f"# {name}: trial {trial} on kinds of defect it has not learned from",
        "",
        *notes,
        "Each kind was left out of one more training on train, and scored with the normal samples "
        "of one fold. Seen: the same samples in the search's folds, whose models learned from "
        "others of their kind. Found: above every normal sample held out with them. Test was not "
        "opened.",
        "",
        f"| {' | '.join(columns)} |",
        "| --- " * len(columns) + "|",
    ]
    for row in rows:
        cells = [row.part, row.kind.replace("|", "\\|"), str(row.unseen.samples)]
        for one, other in (
            (found_text(s.found, s.samples) for s in (row.unseen, row.seen)),
            (interval_text(s.image_auroc) for s in (row.unseen, row.seen)),
            (_pixel_text(s.pixel_ap) for s in (row.unseen, row.seen)),
        ):
            cells += [one, other]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def subset_title(row: SubsetRow) -> str:
    """Name of the subset, with `not in training` where that is so; fit for a cell of a table."""
    name = row.subset.replace("|", "\\|").replace("\n", " ")
    return f"{name} (not in training)" if row.is_in_training is False else name


def found_text(found: Interval | None, samples: int) -> str:
    """`7 of 9 [40%, 97%]`."""
    if found is None or math.isnan(found.value):
        return "-"
    return f"{found.value * samples:.0f} of {samples} [{found.low:.0%}, {found.high:.0%}]"


def share_text(interval: Interval | None) -> str:
    """`78% [40%, 97%]`."""
    if interval is None or math.isnan(interval.value):
        return "none to count"
    return f"{interval.value:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


def _pixel_text(interval: Interval | None) -> str:
    return "no mask" if interval is None else interval_text(interval)
