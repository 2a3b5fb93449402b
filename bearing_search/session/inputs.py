"""Inputs of a command: the data set and the results folder."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet, content_digest, load_data_set
from bearing_search.data.decoding.bit_depth import FULL
from bearing_search.data.demo.dataset import render_demo_set
from bearing_search.data.pixel_labels import objective_level, unmasked_counts, unmasked_lines
from bearing_search.data.readings import depth_lines, with_readings
from bearing_search.errors import ConfigError, ResourceError
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.measurement import IMAGE_OBJECTIVE, objective_at
from bearing_search.search_space.objectives import ObjectiveSpec
from bearing_search.search_space.space import SearchSpace
from bearing_search.session.preflight import check_folds
from bearing_search.trial_history.records import SweepTask

DEMO = "demo"
"""Stands for the rendered demo data where a folder is expected."""


def writable_results(results: Path) -> Path:
    """Absolute path of the results folder, which is created if missing.

    Raises:
        ResourceError: it is a URL, or cannot be written.
    """
    if re.match(r"[a-z][a-z0-9+.\-]+:/", str(results)):
        raise ResourceError(
            f"{results}: is a URL; wanted a folder, in which trials take locks and write "
            "checkpoints (docs/clusters.md). Search in a folder and copy it there afterwards, or "
            "mount it"
        )
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{results}: cannot be created ({error.strerror})") from None
    if not os.access(results, os.W_OK | os.X_OK):
        raise ResourceError(f"{results}: is not writable; choose another --results folder.")
    return results.resolve()


def resolve_data(data: str, results: Path) -> tuple[Path, DataSet]:
    """Absolute path and content of a data set; `demo` is rendered on first use."""
    if data != DEMO:
        folder = Path(data).resolve()
        return folder, load_data_set(folder)
    folder = results / "demo-data"
    if not folder.exists():
        with Progress(transient=True) as bars:
            task = bars.add_task("rendering the demo data", total=None)
            render_demo_set(
                folder,
                scale="small",
                seed=0,
                on_progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
    return folder, load_data_set(folder)


def with_depths_told(
    data_set: DataSet,
    config: TrialConfig,
    results: Path,
    console: Console,
    known: Mapping[str, int] | None = None,
) -> DataSet:
    """The data set with the bit depth and number of levels of each part; odd depths are printed.

    Args:
        known: bit depths found when a sweep began.

    Raises:
        DataError: a training file cannot be read, or the samples of a part differ in levels.
    """
    found = with_readings(data_set, config, cache=results / "cache", known=known)
    for line in depth_lines(found.depths).values():
        console.print(line)
    return found


def recorded_bits(data_set: DataSet) -> dict[str, int]:
    """Bit depth of the parts that have 16-bit files."""
    return {part: depth.bits for part, depth in data_set.depths.items() if depth.bits != 8}


def with_bits(config: TrialConfig, known: Mapping[str, int]) -> TrialConfig:
    """The config with the bit depths found by its sweep, to be saved with its weights."""
    odd = {part: bits for part, bits in known.items() if bits != FULL}
    if not odd:
        return config
    bits = {**odd, **(config.preprocess.bits or {})}
    return replace(config, preprocess=replace(config.preprocess, bits=bits))


def train_digest(data_set: DataSet) -> str:
    """Digest of the training split, which is all that a search may see; test is not opened."""
    return content_digest(data_set.samples("train"))


def digest_for(task: SweepTask, data_set: DataSet) -> str:
    """Digest of the files that a sweep reads: train, and in a reproduction also test."""
    if task == "search":
        return train_digest(data_set)
    return content_digest(data_set.all_samples)


def objective_of(data_set: DataSet, spec: ObjectiveSpec, parts: Sequence[str]) -> str:
    """The metric that ranks settings: the space's, or what the labels of train allow.

    Args:
        data_set: what is searched on.
        spec: of the space.
        parts: those that are searched.

    Raises:
        ConfigError: the space asks for a metric of pixels, and a part has no masks.
    """
    searched = [sample for part in parts for sample in data_set.samples("train", part)]
    level = objective_level(searched)
    first = spec.objectives[0].metric if spec.names_first else objective_at(level)
    pixel = {f"val/{name}" for name, metric in METRICS.items() if metric.level == "pixel"}
    asked = [name for name in dict.fromkeys((first, *spec.metrics)) if name in pixel]
    if level == "image" and asked:
        unknown = [one.text for one in unmasked_counts(searched) if one.unmasked == one.anomalous]
        raise ConfigError(
            f"the space asks for {' and '.join(asked)}, but {'; '.join(unknown)}. Add masks, or "
            f"use metrics of whole images, with {IMAGE_OBJECTIVE} as the first objective"
        )
    return first


def objective_lines(data_set: DataSet, objective: str, parts: Sequence[str]) -> list[str]:
    """The objective, and why it is not the usual one; defects of train without a mask."""
    searched = [sample for part in parts for sample in data_set.samples("train", part)]
    why = ""
    if objective == IMAGE_OBJECTIVE:
        is_forced = objective_level(searched) == "image"
        why = ", since masks are missing" if is_forced else ", as the space asks"
    return [
        f"objective {objective}, mean over folds of train and all parts{why}",
        *unmasked_lines(searched),
    ]


def split_lines(data_set: DataSet, space: SearchSpace) -> list[str]:
    """Numbers of samples to train on and to hold out, one line per part."""
    config = space.trial(space.default_suggestion())
    lines = []
    for part, folds in check_folds(data_set, config).items():
        train = data_set.samples("train", part)
        anomalous = sum(s.is_anomalous for s in train)
        held_out = " ".join(
            f"{sum(not s.is_anomalous for s in f.held_out)}+"
            f"{sum(s.is_anomalous for s in f.held_out)}"
            for f in folds
        )
        note = "" if anomalous else "; no defects in train: synthetic ones will be used"
        lines.append(
            f"{part}: {len(train) - anomalous} normal + {anomalous} anomalous for training; "
            f"held out by fold {held_out}{note}"
        )
    return lines
