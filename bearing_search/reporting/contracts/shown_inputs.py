"""Inputs of held-out samples, cut out as in their folds; no file of test is opened."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bearing_search.analysis.contracts.judged_part import JudgedPart
from bearing_search.config import TrialConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.data.readings import with_readings
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.prepare import prepare
from bearing_search.reporting.contracts.wrong_picture import Inputs, shown_samples
from bearing_search.training.folds.fold_plan import validation_plans


def shown_inputs(judged: JudgedPart, config: TrialConfig, *, data: Path, cache: Path) -> Inputs:
    """Inputs of the samples that `wrong_picture` shows, prepared again or read from the cache.

    Args:
        judged: the part.
        config: the trial's config.
        data: folder of the data set.
        cache: folder shared by all trials.

    Raises:
        DataError: the data set cannot be read, or its folds have changed.
    """
    wanted: dict[str, set[str]] = {}
    for _, key, title in shown_samples(judged):
        wanted.setdefault(key, set()).add(title)
    train = with_readings(load_data_set(data), config, cache=cache).samples("train")
    pixels: dict[str, UInt8[np.ndarray, "s s 3"]] = {}
    levels = 1
    for plan in (part for whole in validation_plans(config, train) for part in whole.parts):
        chosen = [s for s in plan.held_out if s.title in wanted.get(plan.key, ())]
        if not chosen:
            continue
        made = prepare(
            chosen,
            fit_reference(plan.train, config.preprocess, cache=cache),
            config.preprocess,
            input_px=config.encoder.input_px,
            map_px=config.protocol.map_px,
            cache=cache,
        )
        pixels |= {sample.title: made.images[i] for i, sample in enumerate(made.samples)}
        levels = chosen[0].num_levels
    return Inputs(
        pixels=pixels,
        num_levels=levels,
        is_mid_level=judged.part in config.preprocess.mid_level_parts,
    )
