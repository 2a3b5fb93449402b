"""The leaderboard as a Markdown page."""

import math

from bearing_search.analysis.postprocess_search import PostprocessTuning
from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.measurement import COST_S, IMAGE_OBJECTIVE
from bearing_search.reporting.leaderboard import NONE_TO_USE, Leaderboard, said_of
from bearing_search.reporting.sentences import interval_text, postprocess_lines
from bearing_search.trial_history.titles import value_text


def markdown(
    sweep: str, board: Leaderboard, question: str, tuning: PostprocessTuning | None = None
) -> str:
    """The leaderboard as a Markdown page.

    Args:
        sweep: title of the page.
        board: the leaderboard.
        question: the question that the search space asks; may be empty.
        tuning: result of tuning the post-processing of the setting to use.
    """
    chosen, objective = board.selection.chosen, board.selection.objective
    drawn = " (drawn defects)" if board.synthetic_parts else ""
    titles = [f"{objective}{drawn}"]
    titles += [] if objective == IMAGE_OBJECTIVE else [f"{IMAGE_OBJECTIVE}{drawn}"]
    titles += ["", "settings", "seeds", "GFLOP per sample", "MB", "seconds", *_further(board)]
    to_use = (
        f"To use: {chosen.title}, {objective} {interval_text(chosen.value)}{chosen.defects.text} "
        f"(95 % interval over groups; a constant score reaches "
        f"{board.selection.floor:.3f})."
        if chosen
        else NONE_TO_USE
    )
    lines = [
        f"# {sweep}",
        "",
        *([question, ""] if question else []),
        to_use,
        "",
        *said_of(board),
        "",
        *([*postprocess_lines(tuning), ""] if tuning else []),
        f"| trial | {' | '.join(titles)} |".replace("|  |", "| |"),
        "|" + " --- |" * (1 + len(titles)),
        *(_row(board, entry) for entry in board.selection.entries),
    ]
    return "\n".join(lines) + "\n"


def _row(board: Leaderboard, entry: RankedSetting) -> str:
    mark = "tied" if entry.is_tied else entry.judged.text
    if not entry.is_comparable:
        mark = f"{mark}, not comparable".removeprefix(", ")
    if entry is board.selection.chosen:
        mark = "to use"
    if any(entry is one for one in board.front):
        mark = f"{mark}, Pareto".removeprefix(", ")
    settings = ", ".join(
        f"{path.rpartition('.')[2]} {value_text(value)}"
        for path, value in entry.trials[0].suggestion.items()
    )
    is_by_image = board.selection.objective == IMAGE_OBJECTIVE
    cells = (
        entry.title.removeprefix("trial ") + (" (default)" if entry.is_default else ""),
        interval_text(entry.value),
        *([] if is_by_image else [interval_text(entry.image_auroc)]),
        mark,
        settings,
        str(len(entry.trials)),
        f"{entry.use.gflop:.3g}" if entry.use else "",
        f"{entry.use.megabytes:.3g}" if entry.use else "",
        f"{entry.cost_s:.0f}" if math.isfinite(entry.cost_s) else "",
        *(f"{entry.judged.scores[name]:.4g}" for name in _further(board)),
    )
    return f"| {' | '.join(cells)} |"


def _further(board: Leaderboard) -> list[str]:
    """Metrics of the objectives and constraints that have no column yet."""
    shown = {board.selection.objective, IMAGE_OBJECTIVE, COST_S}
    return [name for name in board.objective_spec.metrics if name not in shown]
