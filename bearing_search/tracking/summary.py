"""A sweep in numbers and tags, for its own run."""

import json

from bearing_search.best import best_of
from bearing_search.observer import FINAL_STATES, SweepOutcome, SweepView
from bearing_search.seeds import seed_noise


def summary_of(sweep: SweepView, outcome: SweepOutcome) -> tuple[dict[str, float], dict[str, str]]:
    """Metrics and tags: how trials ended, the best of them, what the seed alone does."""
    values: dict[str, float] = {f"trials/{s}": outcome.count(s) for s in FINAL_STATES}
    tags = {}
    best = best_of(outcome.trials) if sweep.task == "search" else None
    if best is not None and best.value is not None:
        values[f"best/{sweep.objective}"] = best.value
        values |= {f"best/{name}": score for name, score in best.judged.scores.items()}
        tags = {f"best.{path}": json.dumps(value) for path, value in best.suggestion.items()}
        tags["best.trial"] = str(best.number)
    noise = seed_noise(outcome.trials)
    if noise is not None:
        values["seeds/deviation"] = noise.deviation
        values["seeds/smallest_gain"] = noise.smallest_gain
    return values, tags
