"""Runs one trial in this process, without Ray, for debugging and notebooks."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict, Unpack

from rich.console import Console

from bearing_search.config import FIRST_SCHEME, TrialConfig, config_digest, parse, to_plain
from bearing_search.data.pixel_labels import objective_level
from bearing_search.errors import ConfigError
from bearing_search.filesystem.atomic import write_json
from bearing_search.filesystem.yaml_text import read_yaml
from bearing_search.measurement import Measurement, TrialContext, objective_at
from bearing_search.session.in_process import chosen_device, follow
from bearing_search.session.inputs import (
    DEMO,
    objective_lines,
    recorded_bits,
    resolve_data,
    with_depths_told,
    writable_results,
)
from bearing_search.session.leak_gate import refuse_leaks
from bearing_search.session.preflight import check_installation
from bearing_search.session.terminal import terminal

_OBJECTIVE_FILE = "objective.json"


class TrainOptions(TypedDict, total=False):
    """Further options of `train`; each is a flag of the command as well."""

    out: Path | None
    """Folder of the trial; if it exists, the trial is resumed. Default: below results."""

    device: str
    """cpu, cuda, or auto (default)."""

    shares_stages: bool
    """Whether stages computed by other trials are reused. Default: True."""

    allow_leak: str
    """Why samples shared by train and test are accepted; every report repeats it."""

    console: Console | None
    """Where progress is printed. Default: stdout."""


def train(
    config: str | Path | TrialConfig,
    data: str | Path = DEMO,
    results: str | Path = "results",
    **options: Unpack[TrainOptions],
) -> tuple[Measurement, Path]:
    """Run one trial; return its last measurement and its folder.

    Args:
        config: all settings, or the YAML or JSON file that holds them.
        data: folder of a data set, or `demo`.
        results: folder of the cache, and of the trial unless `out` names one.
        options: see `TrainOptions`.

    Raises:
        ConfigError: the config or the device cannot be used.
        DataError, WeightsError, ResourceError: data, weights or installation cannot be used.
        LeakError: train and test share samples, and `allow_leak` is empty.
        TrialFailedError: this config cannot give a score.
    """
    console = options.get("console") or terminal()
    check_installation()
    trial = config if isinstance(config, TrialConfig) else read_config(Path(config))
    results_folder = writable_results(Path(results))
    root, data_set = resolve_data(str(data), Path(results))
    data_set = with_depths_told(data_set, trial, results_folder, console)
    allowed = refuse_leaks(
        data_set, [trial], results_folder, console, reason=options.get("allow_leak", "")
    )
    from bearing_search.trial import run_trial  # loads torch

    # scheme 1 covers every current setting: no two configs share a folder, and old ones are found
    name = f"train-{config_digest(to_plain(trial), FIRST_SCHEME)}"
    folder = (options.get("out") or results_folder / name).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", to_plain(trial))
    if allowed is not None:
        write_json(folder / "allowed_leak.json", asdict(allowed))
    parts = data_set.chosen_parts(trial.parts)
    searched = [sample for part in parts for sample in data_set.samples("train", part)]
    objective = objective_at(objective_level(searched))
    write_json(folder / _OBJECTIVE_FILE, {"objective": objective})
    for line in objective_lines(data_set, objective, parts):
        console.print(line)
    context = TrialContext(
        data=root,
        objective=objective,
        folder=folder,
        cache=results_folder / "cache",
        bits=recorded_bits(data_set),
        shares_stages=options.get("shares_stages", True),
        device=chosen_device(options.get("device", "auto")),
    )
    return follow(run_trial, trial, context, console), folder


def objective_of_trial(folder: Path) -> str:
    """The metric that a trial of `train` is judged by."""
    return str(json.loads((folder / _OBJECTIVE_FILE).read_text(encoding="utf-8"))["objective"])


def read_config(file: Path) -> TrialConfig:
    """Read one trial's config from a file.

    Raises:
        ConfigError: the file cannot be read, or is not a config.
    """
    raw = read_yaml(file)
    if not isinstance(raw, dict):
        raise ConfigError(f"{file}: wanted the settings of one trial, as nested mappings.")
    if "vary" in raw:
        raise ConfigError(f"{file}: is a search space; `run` takes it, `train` takes one trial.")
    return parse(TrialConfig, raw)
