"""Where a detector comes from: data, sweep, trial, how it was chosen, versions."""

from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console

from bearing_search.data.dataset import load_data_set
from bearing_search.export.trained import Trained
from bearing_search.models.inference.origin import weights_origin
from bearing_search.reporting.test_access import test_access_log
from bearing_search.session.comparison import board_of
from bearing_search.session.inputs import train_digest
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.record.provenance import git_commit, package_versions
from bearing_search.trial_history.records import trial_config

_MORE_PACKAGES = ("safetensors", "onnx", "onnxscript", "onnxruntime", "openvino")


def provenance_of(
    folder: SweepFolder, number: int, training: tuple[Path, Trained], console: Console
) -> dict[str, Any]:
    """Facts about the sweep, a trial of it and the final training, in JSON types.

    Args:
        folder: of the sweep.
        number: of the trial.
        training: folder of the final training, and the training.
        console: where the progress of the comparison is shown.
    """
    place, trained = training
    source, licence = weights_origin(trained.config.encoder)
    return {
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        **_of_sweep(folder, number, console),
        "trained_on": train_digest(load_data_set(folder.data)),
        "trained": place.relative_to(folder.root).as_posix(),
        "aside": {part.part: len(part.aside) for part in trained.parts},
        "samples": {
            part.part: {
                "normal": sum(not one.is_anomalous for one in part.samples),
                "anomalous": sum(one.is_anomalous for one in part.samples),
            }
            for part in trained.parts
        },
        "weights": source,
        "weights_sha256": next(iter(trained.networks.values())).weights_sha256,
        "weights_licence": licence,
    }


def _of_sweep(folder: SweepFolder, number: int, console: Console) -> dict[str, Any]:
    config = trial_config(folder.root, number)
    record = folder.record
    return {
        "sweep": record.name,
        "sweep_id": record.sweep_id,
        "trial": number,
        "setting": record.config_digest(config),
        "data_digest": record.data_digest,
        "split": f"grouped folds of train, seed {config.split.seed}",
        "objective": record.objective,
        "selection": _selection(folder, number, console),
        "test": test_access_log(folder.root).text,
        "notes": list(record.notes),
        "versions": versions(),
        "git_commit": git_commit(),
    }


def versions() -> dict[str, str]:
    """Name -> version of the packages that a detector's scores can depend on."""
    found = package_versions()
    for name in _MORE_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _selection(folder: SweepFolder, number: int, console: Console) -> dict[str, Any]:
    """Score of the trial's setting on held-out folds, and whether it is the one to use."""
    board = board_of([folder], console)
    if board is None:
        return {}
    settings = board.selection.entries
    own = next((s for s in settings if number in {t.number for t in s.trials}), None)
    if own is None:
        return {}
    chosen = board.selection.chosen
    return {
        "value": own.value.value,
        "low": own.value.low,
        "high": own.value.high,
        "is_recommended": chosen is not None and own.number == chosen.number,
        "is_tied_with_best": own.is_tied,
        "settings_compared": len(settings),
    }
