"""Chooses the post-processing of a trial after training."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from bearing_search.analysis.postprocess_search import PostprocessTuning, tune_postprocess
from bearing_search.config import TrialConfig
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.session.terminal import bar
from bearing_search.trial_history.records import trial_config, trial_folder


def tuned(sweep: Path, number: int, console: Console) -> PostprocessTuning:
    """Gain of other post-processing settings for a trial, estimated on its held-out folds."""
    with bar(console, "trying other post-processing") as on_progress:
        return tune_postprocess(
            fold_predictions(trial_folder(sweep, number)),
            trial_config(sweep, number).protocol,
            on_progress=on_progress,
            workers=len(os.sched_getaffinity(0)),
        )


def with_postprocess(config: TrialConfig, tuning: PostprocessTuning) -> TrialConfig:
    """The config with the post-processing whose gain is significant, if any."""
    setting = tuning.applied
    return replace(config, postprocess=setting.postprocess, fusion=setting.fusion)


def postprocess_json(title: str, tuning: PostprocessTuning) -> bytes:
    """Content of knobs.json: the trial, the candidates, and what is applied."""
    found = {
        "of": title,
        "maps": asdict(tuning.maps) | {"is_shown": tuning.maps.is_shown},
        "image_score": asdict(tuning.image_score) | {"is_shown": tuning.image_score.is_shown},
        "applied": asdict(tuning.applied),
    }
    return json.dumps(found, indent=2).encode()
