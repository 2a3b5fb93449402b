"""What MLflow's pages show first: names of runs that say what differs, and the columns of a view.

MLflow sorts metrics by name and shows those without a prefix first. So a score is logged a second
time as `objective`, and what a trial reports of single folds and losses goes below `z_details/`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from bearing_search.measurement import COST_S, IMAGE_OBJECTIVE, running_objective
from bearing_search.tracking.tags import STATE_TAG, TO_USE_TAG, TRIAL_TAG
from bearing_search.trial_history.records import TrialRecord
from bearing_search.trial_history.titles import seed_text

OBJECTIVE_METRIC = "objective"
"""The sweep's objective under a name that is the same in all sweeps."""

DETAILS = "z_details/"
"""Prefix of metrics of single folds and of training, which sorts last."""

VIEW_KEY = "bearing_search"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"
"""Tag of an experiment that holds a view of its runs, as MLflow's button *Share* writes it; an
address with `viewStateShareKey=` and the key opens it."""

NOTE_TAG = "mlflow.note.content"
"""MLflow's own tag for the description of a run or of an experiment, in Markdown."""

_MOST_COLUMNS, _PX_OF_A_LETTER = 20, 7
_CHECKBOX, _RUN_NAME = "1", "attributes.`Run Name`"
"""Columns of MLflow's table that every view has, as 3.17 names them."""

_UNITS = frozenset({"px", "deg", "s", "gb"})
_DETAIL = re.compile(r"train/|.*/(fold\d+|all)/|val/(running|fold)_")


def displayed(values: Mapping[str, float], objective: str) -> dict[str, float]:
    """A trial's metrics under the names that they have in MLflow.

    Args:
        values: of one measurement.
        objective: metric that the sweep optimises.
    """
    kept = {running_objective(objective)}
    named = {
        f"{DETAILS}{name}" if _DETAIL.match(name) and name not in kept else name: value
        for name, value in values.items()
    }
    return named | ({OBJECTIVE_METRIC: values[objective]} if objective in values else {})


def run_name(trial: TrialRecord, labels: Mapping[str, str]) -> str:
    """`012 period=3 layers=8-12`: the trial's number, and what it varies.

    Args:
        trial: the trial.
        labels: short names of settings; see `short_labels`.
    """
    settings = [f"{labels.get(p, p)}={_value_text(v)}" for p, v in trial.suggestion.items()]
    return " ".join([f"{trial.number:03d}", *settings]) + seed_text(trial.seed, trial.purpose)


def short_labels(paths: Iterable[str]) -> dict[str, str]:
    """Dotted path -> its last words, as few as tell it from the others, without a unit."""
    words = {path: _words(path) for path in paths}
    labels = {}
    for path, own in words.items():
        others = [other for known, other in words.items() if known != path]
        length = next(
            (
                count
                for count in range(1, len(own))
                if all(other[-count:] != own[-count:] for other in others)
            ),
            len(own),
        )
        labels[path] = "_".join(own[-length:])
    return labels


def view_of_runs(objective: str, paths: Sequence[str]) -> str:
    """The view of a sweep's trials, best first: objective, image AUROC, settings, state, seconds.

    Args:
        objective: metric that the sweep optimises.
        paths: settings that it varies.
    """
    shown = [
        *(("metrics", name) for name in dict.fromkeys((objective, IMAGE_OBJECTIVE))),
        *(("params", path) for path in paths[:_MOST_COLUMNS]),
        *(("tags", name) for name in (STATE_TAG, TO_USE_TAG)),
        ("metrics", COST_S),
    ]
    widths = {f"{kind}.`{name}`": 40 + _PX_OF_A_LETTER * len(name) for kind, name in shown}
    return json.dumps(
        {
            # without a filter MLflow folds the trials of a sweep into one line
            "searchFilter": f"tags.`{TRIAL_TAG}` != ''",
            "orderByKey": f"metrics.`{objective}`",
            "orderByAsc": False,
            "selectedColumns": list(widths),
            "columnOrder": [_CHECKBOX, _RUN_NAME, *widths],
            "columnWidths": {_CHECKBOX: 73, _RUN_NAME: 340, **widths},
        }
    )


def dataset_input(facts: Mapping[str, str]) -> Any:
    """MLflow's `DatasetInput` for the data of a sweep; None: they are not known.

    Args:
        facts: of the sweep.
    """
    from mlflow.entities import Dataset, DatasetInput

    if not (digest := facts.get("data_digest")):
        return None
    place = facts.get("data", "")
    source = json.dumps({"uri": place}, ensure_ascii=False)
    name = PurePath(place).name or "data"
    return DatasetInput(Dataset(name[:500], digest[:36], "local", source[:60_000]))


def _words(path: str) -> list[str]:
    words = re.split(r"[._]", path)
    return words[:-1] if words[-1] in _UNITS and len(words) > 1 else words


def _value_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "-".join(map(_value_text, value))
    return value if isinstance(value, str) else json.dumps(value)
