"""Computes the influences of finished trials, caches them next to the scores, averages over seeds.

Axis letters: g h groups, m metrics, c settings.
"""

import contextlib
import io
import json
import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float

from bearing_search.analysis.comparison import influences
from bearing_search.analysis.intervals import Influence
from bearing_search.config import ProtocolConfig
from bearing_search.errors import DamagedFileError
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.stored_file import naming_damage

_LOG = logging.getLogger(__name__)
_FILE = "influence.npz"
_VERSION = 2
_METRICS_BEFORE_NAMES = (
    "pixel_aupro",
    "pixel_auroc",
    "pixel_ap",
    "pixel_f1_max",
    "image_auroc",
    "image_ap",
    "image_f1_max",
)
"""Columns of files by older releases, which do not name them."""


_READING = Lock()
"""One thread reads files at a time: NumPy parses their headers with `ast`, which was seen to raise
"AST constructor recursion depth mismatch" in CPython 3.11 with several threads at once."""


def influences_of_trials(
    folders: Sequence[Path],
    protocol: ProtocolConfig,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Influence]]:
    """Part -> influence for each trial, in the order of the folders; uses all cores.

    Args:
        folders: folders of finished trials.
        protocol: how the trials were scored.
        on_progress: called with the number of finished and of all trials.
    """
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:  # NumPy releases the GIL while computing
        found = []
        for one in pool.map(lambda folder: trial_influences(folder, protocol), folders):
            found.append(one)
            on_progress(len(found), len(folders))
    return found


def trial_influences(folder: Path, protocol: ProtocolConfig) -> dict[str, Influence]:
    """Part -> influence for a finished trial, cached in its folder if that is writable.

    A cached result is used if it has all current metrics; otherwise all are recomputed.
    """
    key = _key(folder, protocol)
    file = folder / _FILE
    with _READING:
        try:
            kept = _read(file, key, tuple(METRICS))
        except DamagedFileError as error:
            _LOG.warning("%s; computed again", error)
            kept = None
        if kept is not None:
            return kept
        folds = fold_predictions(folder)
    found = influences(folds, protocol)
    with contextlib.suppress(OSError):  # a results folder may be read-only
        write_atomically(file, _packed(found, key))
    return found


def mean_influences(runs: Sequence[Mapping[str, Influence]]) -> dict[str, Influence]:
    """Part -> influence averaged over the runs of one setting."""
    return {
        part: runs[0][part] if len(runs) == 1 else _mean_influence([run[part] for run in runs])
        for part in runs[0]
    }


def scaled_shifts(
    settings: Sequence[Mapping[str, Influence]], metric: str
) -> Float[np.ndarray, "g c"]:
    """Influence of each group on each setting's mean over parts; squares add up to its variance.

    A group that a setting could not score (no region of interest) has an influence of 0 on it.
    """
    rows: dict[tuple[str, bool, str], Float[np.ndarray, " c"]] = {}
    for column, parts in enumerate(settings):
        for part, influence in parts.items():
            both = set(influence.anomalous)  # with anomalous samples: their influence is there
            of_anomalous, of_normal = influence.shifts_of(metric)
            for is_anomalous, names, shifts in (
                (True, influence.anomalous, of_anomalous),
                (False, influence.normal, of_normal),
            ):
                count = len(names)
                scale = math.sqrt(count / max(count - 1, 1)) / len(parts)
                for name, shift in zip(names, shifts, strict=True):
                    if not is_anomalous and name in both:
                        continue
                    row = rows.setdefault((part, is_anomalous, name), np.zeros(len(settings)))
                    row[column] = np.nan_to_num(shift) * scale
    return np.array(list(rows.values())).reshape(-1, len(settings))


def _key(folder: Path, protocol: ProtocolConfig) -> str:
    """Cache key: the protocol, and size and modification time of each file of scores."""
    files = _stamps(sorted(folder.glob("*/*/scored.npz")))
    return json.dumps([_VERSION, asdict(protocol), list(files)])


def _stamps(files: Iterable[Path]) -> Iterable[tuple[str, int, int]]:
    for file in files:
        stat = file.stat()
        yield f"{file.parent.parent.name}/{file.parent.name}", stat.st_size, stat.st_mtime_ns


def _packed(found: dict[str, Influence], key: str) -> bytes:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {
        f"{number}/{name}": np.array(value)
        for number, influence in enumerate(found.values())
        for name, value in asdict(influence).items()
        if name != "metrics"
    }
    metrics = next(iter(found.values())).metrics if found else tuple(METRICS)
    np.savez_compressed(
        buffer,
        key=np.array(key),
        parts=np.array(list(found)),
        metrics=np.array(metrics),
        **arrays,
    )
    return buffer.getvalue()


def _read(file: Path, key: str, metrics: tuple[str, ...]) -> dict[str, Influence] | None:
    """Part -> influence on the metrics, read from a file; None if it is outdated or lacks one."""
    if not file.exists():
        return None
    with (
        naming_damage(file),
        file.open("rb") as stream,  # NumPy leaves a damaged file open
        np.load(stream, allow_pickle=False) as saved,
    ):
        if str(saved["key"]) != key:
            return None
        names = tuple(saved["metrics"].tolist()) if "metrics" in saved else _METRICS_BEFORE_NAMES
        if not set(metrics) <= set(names):
            return None
        columns = [names.index(name) for name in metrics]
        return {
            part: Influence(
                metrics=metrics,
                values=saved[f"{number}/values"][columns],
                floors=saved[f"{number}/floors"][columns],
                anomalous=tuple(map(str, saved[f"{number}/anomalous"])),
                normal=tuple(map(str, saved[f"{number}/normal"])),
                of_anomalous=np.ascontiguousarray(saved[f"{number}/of_anomalous"][:, columns]),
                of_normal=np.ascontiguousarray(saved[f"{number}/of_normal"][:, columns]),
            )
            for number, part in enumerate(saved["parts"].tolist())
        }


def _mean_influence(runs: Sequence[Influence]) -> Influence:
    anomalous = tuple(dict.fromkeys(name for run in runs for name in run.anomalous))
    normal = tuple(dict.fromkeys(name for run in runs for name in run.normal))
    return Influence(
        metrics=runs[0].metrics,
        values=np.mean([run.values for run in runs], axis=0),
        floors=np.mean([run.floors for run in runs], axis=0),
        anomalous=anomalous,
        normal=normal,
        of_anomalous=_mean_shifts(anomalous, [(r.anomalous, r.of_anomalous) for r in runs]),
        of_normal=_mean_shifts(normal, [(r.normal, r.of_normal) for r in runs]),
    )


def _mean_shifts(
    names: Sequence[str], runs: Sequence[tuple[Sequence[str], Float[np.ndarray, "g m"]]]
) -> Float[np.ndarray, "h m"]:
    place = {name: number for number, name in enumerate(names)}
    total = np.zeros((len(names), runs[0][1].shape[1]))
    for own_names, shifts in runs:
        total[[place[name] for name in own_names]] += shifts
    mean: Float[np.ndarray, "h m"] = total / len(runs)
    return mean
