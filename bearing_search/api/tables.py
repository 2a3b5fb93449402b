"""The content of a sweep as pandas data frames."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.api.figures import require_file
from bearing_search.data.fold_key import FoldKey
from bearing_search.errors import SweepError
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.evaluation.predictions import Predictions
from bearing_search.measurement import IMAGE_OBJECTIVE
from bearing_search.reporting.leaderboard import Leaderboard
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.status import SweepStatus
from bearing_search.trial_history.measurement_log import read_measurements


def trials_table(status: SweepStatus, board: Leaderboard | None) -> pd.DataFrame:
    """One row per trial, indexed by its number.

    Columns: `state`, `purpose` and `seed`; every searched setting by its dotted path; the objective
    with `low` and `high`, the 95 % interval of its setting (over groups, and over seeds where the
    setting was run more than once); further objectives; `cost_s`, seconds of its stages, including
    reused ones; `duration_s`; `started`; `reason`, why it failed or what it was copied from.
    """
    intervals = _intervals(board)
    rows = {}
    for trial in status.trials:
        interval = intervals.get(trial.number)
        rows[trial.number] = {
            "state": trial.state,
            "purpose": trial.purpose,
            "seed": trial.seed,
            **trial.suggestion,
            status.objective: trial.value,
            "low": interval.low if interval else np.nan,
            "high": interval.high if interval else np.nan,
            **trial.judged.scores,
            "cost_s": trial.cost_s,
            "duration_s": trial.duration_s,
            "started": trial.started,
            "reason": trial.reason,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trial")


def leaderboard_table(board: Leaderboard) -> pd.DataFrame:
    """One row per complete setting, best first, indexed by the first of its trials.

    Columns: `sweep`; every searched setting; the objective and the image AUROC, each with `low` and
    `high`; `tied`, whether it is statistically tied with the best; `feasible`, whether it meets the
    constraints; `to_use`; `runs`, the number of seeds it was run with; `cost_s`; `gflop_per_sample`
    and `megabytes`, what it costs to use, NaN if unknown.
    """
    chosen = board.selection.chosen
    objective = board.selection.objective
    rows = [
        _setting_row(entry, objective, is_chosen=entry is chosen)
        for entry in board.selection.entries
    ]
    return pd.DataFrame(rows).set_index("trial")


def curves_table(file: Path) -> pd.DataFrame:
    """A trial's measurements, indexed by step: `stage`, `progress`, and a column per metric.

    Args:
        file: its measurements.jsonl.
    """
    rows = [
        {"step": one.step, "stage": one.stage, "progress": one.progress, **one.values}
        for one in read_measurements(file)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["step"]).set_index("step")


def scores_of_trial(sweep: SweepFolder, trial: int) -> pd.DataFrame:
    """`scores_table` of a trial.

    Raises:
        SweepError: there is no such trial, or no fold of it is scored yet.
    """
    found = fold_predictions(require_file(sweep, trial, "config.json"))
    if not found:
        raise SweepError(f"{sweep.record.name}: no fold of trial {trial} is scored yet")
    return scores_table(found)


def scores_table(folds: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per scored sample: `part`, `fold`, `sample`, `group`, `is_anomalous`, `image_score`.

    Image scores rank the samples of one fold; each fold has its own detector, and their scores
    differ in scale.

    Args:
        folds: predictions of each fold, by `LC/fold0`.
    """
    rows = []
    for key, found in folds.items():
        fold = FoldKey.parse(key)
        for number, name in enumerate(found.names):
            row = {
                "part": fold.part,
                "fold": fold.fold,
                "sample": name,
                "group": found.groups[number],
                "is_anomalous": bool(found.is_anomalous[number]),
                "image_score": float(found.image_scores[number]),
            }
            rows.append(row)
    return pd.DataFrame(rows)


def _columns(metric: str, interval: Interval) -> dict[str, object]:
    return {
        metric: interval.value,
        f"{metric} low": interval.low,
        f"{metric} high": interval.high,
    }


def _intervals(board: Leaderboard | None) -> dict[int, Interval]:
    """Interval of the setting of every complete trial, by the trial's number."""
    entries = board.selection.entries if board else ()
    return {trial.number: entry.value for entry in entries for trial in entry.trials}


def _setting_row(entry: RankedSetting, objective: str, *, is_chosen: bool) -> dict[str, object]:
    return {
        "trial": entry.number,
        "sweep": entry.folder.name,
        **entry.trials[0].suggestion,
        **_columns(objective, entry.value),
        **({} if objective == IMAGE_OBJECTIVE else _columns(IMAGE_OBJECTIVE, entry.image_auroc)),
        **entry.judged.scores,
        "tied": entry.is_tied,
        "comparable": entry.is_comparable,
        "drawn_defects": ", ".join(entry.defects.parts),
        "feasible": entry.judged.is_feasible,
        "to_use": is_chosen,
        "runs": len(entry.trials),
        "cost_s": entry.cost_s,
        "gflop_per_sample": entry.use.gflop if entry.use else np.nan,
        "megabytes": entry.use.megabytes if entry.use else np.nan,
    }
