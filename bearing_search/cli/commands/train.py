"""`train`: one trial in this process, without Ray, for debugging."""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from bearing_search.cli.inputs import resolve_data
from bearing_search.cli.leak_gate import AllowLeak, refuse_leaks
from bearing_search.cli.options import Data, NoSharing, Results, terminal, writable_results
from bearing_search.cli.preflight import check_installation
from bearing_search.cli.progress import Estimate
from bearing_search.config import FIRST_SCHEME, TrialConfig, config_digest, parse, to_plain
from bearing_search.errors import ConfigError
from bearing_search.filesystem.atomic import write_json
from bearing_search.measurement import OBJECTIVE, Measurement, RunTrial, TrialContext


def train(
    config: Annotated[
        Path, typer.Argument(help="YAML or JSON of one trial, such as a trial's config.json.")
    ],
    data: Data = "demo",
    results: Results = Path("results"),
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the trial; the same folder again goes on there."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    no_sharing: NoSharing = False,
    allow_leak: AllowLeak = "",
) -> None:
    """Run one trial without Ray and print what it measures."""
    check_installation()
    trial = read_config(config)
    root, data_set = resolve_data(data, results)
    allowed = refuse_leaks(
        data_set, [trial], writable_results(results), terminal(), reason=allow_leak
    )
    from bearing_search.trial import run_trial  # torch takes seconds to import

    # scheme 1 counts every setting of today: no two configs share a folder, and old ones are found
    name = f"train-{config_digest(to_plain(trial), FIRST_SCHEME)}"
    folder = (out or writable_results(results) / name).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", to_plain(trial))
    if allowed is not None:
        write_json(folder / "allowed_leak.json", asdict(allowed))
    context = TrialContext(
        data=root,
        folder=folder,
        cache=writable_results(results) / "cache",
        shares_stages=not no_sharing,
        device=chosen_device(device),
    )
    last = follow(run_trial, trial, context, terminal())
    for name in sorted(name for name in last.values if name.count("/") == 1):
        print(f"{name:24} {last.values[name]:.4f}")
    print(f"{OBJECTIVE} {last.values[OBJECTIVE]:.4f}; everything is in {folder}")


def read_config(file: Path) -> TrialConfig:
    """One trial's config from a file.

    Raises:
        ConfigError: the file cannot be read, or is no config.
    """
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot read the config: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{file}: wanted the settings of one trial, as nested mappings.")
    if "vary" in raw:
        raise ConfigError(f"{file}: is a search space; `run` takes it, `train` takes one trial.")
    return parse(TrialConfig, raw)


def chosen_device(device: str) -> str:
    """`auto` is a GPU where there is one.

    Raises:
        ConfigError: cuda was asked for and is not there, or another name was given.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is {device!r}; cpu, cuda or auto")
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ConfigError("device is 'cuda', but torch finds no GPU; use --device cpu")
    return "cuda" if has_gpu and device != "cpu" else "cpu"


def follow(
    run: RunTrial, config: TrialConfig, context: TrialContext, console: Console
) -> Measurement:
    """Run a trial to its end, saying how far it is; returns its last measurement."""
    estimate, shown, last = Estimate(1.0), 0.0, None
    for last in run(config, context):
        estimate.update(last.progress)
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            values = "  ".join(
                f"{name.rpartition('/')[2]} {value:.4f}" for name, value in last.values.items()
            )
            line = f"{last.progress:4.0%}  {last.stage:36} {values if len(values) < 90 else ''}"
            console.print(f"{line}  {estimate.text}")
    assert last is not None
    return last


def use_cores(count: int | None = None) -> None:
    """Give torch the cores that this process may run on."""
    import torch

    torch.set_num_threads(count or len(os.sched_getaffinity(0)))
