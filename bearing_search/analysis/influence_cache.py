"""The influences of finished trials: computed once, kept beside the scores, averaged over seeds.

Axis letters: g h groups, m metrics, c settings.
"""

import contextlib
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from bearing_search.analysis.comparison import influences
from bearing_search.analysis.intervals import Influence
from bearing_search.config import ProtocolConfig
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.predictions import fold_predictions
from bearing_search.filesystem.atomic import write_atomically

_FILE = "influence.npz"
_VERSION = 1
_METRICS_BEFORE_NAMES = (
    "pixel_aupro",
    "pixel_auroc",
    "pixel_ap",
    "pixel_f1_max",
    "image_auroc",
    "image_ap",
    "image_f1_max",
)
"""What the columns of a file are that does not name them: it was written by an older release."""


def influences_of_trials(
    folders: Sequence[Path],
    protocol: ProtocolConfig,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Influence]]:
    """Part -> influence of each trial, in the order of the folders; side by side on all cores.

    Args:
        folders: of finished trials.
        on_progress: told how many of how many are done.
    """
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:  # NumPy lets go of the interpreter where it works
        found = []
        for one in pool.map(lambda folder: trial_influences(folder, protocol), folders):
            found.append(one)
            on_progress(len(found), len(folders))
    return found


def trial_influences(folder: Path, protocol: ProtocolConfig) -> dict[str, Influence]:
    """Part -> influence of a finished trial, kept in its folder where that can be written.

    What is kept there is used where it has every metric of today; if not, all are computed anew.
    """
    key = _key(folder, protocol)
    file = folder / _FILE
    if (kept := _read(file, key, tuple(METRICS))) is not None:
        return kept
    found = influences(fold_predictions(folder), protocol)
    with contextlib.suppress(OSError):  # a results folder may be read-only
        write_atomically(file, _packed(found, key))
    return found


def mean_influences(runs: Sequence[Mapping[str, Influence]]) -> dict[str, Influence]:
    """The mean over runs of one setting: of its metrics, and of what each group adds."""
    return {
        part: runs[0][part] if len(runs) == 1 else _mean_influence([run[part] for run in runs])
        for part in runs[0]
    }


def scaled_shifts(
    settings: Sequence[Mapping[str, Influence]], metric: str
) -> Float[np.ndarray, "g c"]:
    """What each group adds to each setting's mean over parts, so that squares are variances.

    A group that a setting could not score (no region of interest) adds nothing to it.
    """
    rows: dict[tuple[str, bool, str], Float[np.ndarray, " c"]] = {}
    for column, parts in enumerate(settings):
        for part, influence in parts.items():
            of_anomalous, of_normal = influence.shifts_of(metric)
            for is_anomalous, names, shifts in (
                (True, influence.anomalous, of_anomalous),
                (False, influence.normal, of_normal),
            ):
                count = len(names)
                scale = math.sqrt(count / max(count - 1, 1)) / len(parts)
                for name, shift in zip(names, shifts, strict=True):
                    row = rows.setdefault((part, is_anomalous, name), np.zeros(len(settings)))
                    row[column] = np.nan_to_num(shift) * scale
    return np.array(list(rows.values())).reshape(-1, len(settings))


def _key(folder: Path, protocol: ProtocolConfig) -> str:
    """What the numbers were made of: the protocol and the very files."""
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
    """The named metrics of a file; None where it is of other scores, or lacks one of them."""
    if not file.exists():
        return None
    with np.load(file, allow_pickle=False) as saved:
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
