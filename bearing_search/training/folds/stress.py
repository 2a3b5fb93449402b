"""The stress set of a part of a fold: prepared, and scored like held-out samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bearing_search.config import TrialConfig
from bearing_search.evaluation.prediction_files import STRESS_FILE
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.stress.stress_set import stress_set
from bearing_search.training.detection.detection import Detection
from bearing_search.training.folds.fold_data import HeldOut, held_out_of
from bearing_search.training.folds.fold_plan import PartPlan
from bearing_search.training.folds.scoring import score_fold
from bearing_search.training.plots.stress_set import stress_picture


def prepare_stress(part: PartPlan, config: TrialConfig, *, cache: Path) -> HeldOut | None:
    """Variants of the part's stressed samples; None if there are none, or none has a region.

    Raises:
        DataError: a file cannot be read.
    """
    if not part.stressed:
        return None
    found = stress_set(
        part.stressed,
        part.train,
        fit_reference(part.train, config.preprocess, cache=cache),
        config.preprocess,
        input_px=config.encoder.input_px,
        map_px=config.protocol.map_px,
    )
    if not found.samples:
        return None
    held_out = held_out_of(found, config.protocol.map_px)
    return replace(held_out, has_mask=np.ones(len(found.samples), dtype=bool))


def score_stress(
    variants: HeldOut, detection: Detection, config: TrialConfig, *, folder: Path
) -> None:
    """Write `stress.npz`, the predictions of all variants, and `stress.png` with those of one."""
    folder.mkdir(parents=True, exist_ok=True)
    predictions = score_fold(variants, detection, config, file=folder / STRESS_FILE)
    stress_picture(predictions, variants.images, folder / "stress.png")
