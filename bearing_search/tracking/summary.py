"""Summarises a sweep as metrics and tags of its parent run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bearing_search.errors import DamagedFileError
from bearing_search.tracking.runs import OWN, SweepRuns
from bearing_search.tracking.tags import TO_USE_TAG
from bearing_search.trial_history.best import best_of
from bearing_search.trial_history.callbacks import SweepView
from bearing_search.trial_history.held_out_defects import drawn_parts
from bearing_search.trial_history.records import FINAL_STATES, SweepOutcome
from bearing_search.trial_history.seed_noise import seed_noise


def summary_of(sweep: SweepView, outcome: SweepOutcome) -> tuple[dict[str, float], dict[str, str]]:
    """Metrics and tags: trials per state, the highest score, and the seed noise.

    The setting with the highest score is not necessarily the one to use; see `mark_setting`.
    """
    values: dict[str, float] = {f"trials/{s}": outcome.count(s) for s in FINAL_STATES}
    tags = {}
    best = best_of(outcome.trials) if sweep.task == "search" else None
    if best is not None and best.value is not None:
        values[f"highest/{sweep.objective}"] = best.value
        values |= {f"highest/{name}": score for name, score in best.judged.scores.items()}
        tags = {
            f"highest.{path}": json.dumps(value, ensure_ascii=False)
            for path, value in best.suggestion.items()
        }
        tags["highest.trial"] = str(best.number)
        try:
            if drawn := drawn_parts(sweep.trial_folder(best.number)):
                tags["highest.drawn_defects"] = json.dumps(drawn)
        except DamagedFileError as error:
            tags["highest.drawn_defects"] = f"unknown: {error}"
    noise = seed_noise(outcome.trials)
    if noise is not None:
        values["seeds/deviation"] = noise.deviation
        values["seeds/smallest_gain"] = noise.smallest_gain
    return values, tags


def write_summary(runs: SweepRuns, values: Mapping[str, float], tags: Mapping[str, str]) -> None:
    """Log metrics and tags to a sweep's parent run, and both as summary.json."""
    runs.log(OWN, values, tags)
    runs.log_json(OWN, {**values, **tags}, "summary.json")


def mark_setting(
    runs: SweepRuns,
    chosen: Sequence[int],
    scores: Mapping[str, float],
    suggestion: Mapping[str, Any],
) -> None:
    """Tag the setting to use on the parent run and on its trials' runs; clear earlier marks.

    Args:
        runs: the sweep's runs.
        chosen: trials of the setting, the first of which names it; empty: no setting is to be used.
        scores: scores of the setting.
        suggestion: the setting.
    """
    before = runs.tags(OWN)
    for number in {*json.loads(before.get("to_use.trials", "[]"))} - {*chosen}:
        if runs.has(number):
            runs.log(number, {}, {TO_USE_TAG: "no"})
    for number in chosen:
        if runs.has(number):
            runs.log(number, {}, {TO_USE_TAG: "yes"})
    for tag in before:
        if tag.startswith("to_use."):
            runs.on_run(
                OWN, runs.client.delete_tag, tag
            )  # the new setting may have other parameters
    tags = {
        f"to_use.{path}": json.dumps(value, ensure_ascii=False)
        for path, value in suggestion.items()
    }
    tags["to_use.trials"] = json.dumps(list(chosen))
    if chosen:
        tags["to_use.trial"] = str(chosen[0])
    runs.log(OWN, {f"to_use/{name}": value for name, value in scores.items()}, tags)
