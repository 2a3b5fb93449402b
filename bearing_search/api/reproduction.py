"""Reproduces the paper's Table 2 on a data set, with intervals, using the scheduler of `run`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from rich.console import Console

from bearing_search.api.evaluation import chosen_trial
from bearing_search.api.sweep import Sweep
from bearing_search.config import DETECTORS, Scope, TrialConfig, parse, to_plain
from bearing_search.data.dataset import DataSet
from bearing_search.data.pixel_labels import objective_level
from bearing_search.errors import ConfigError, SweepError
from bearing_search.filesystem.yaml_text import read_yaml
from bearing_search.measurement import objective_at
from bearing_search.reproduction.design import Design, Profile, space_text
from bearing_search.reproduction.published import detector_titles
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.session.flags import ResourceFlags, recorded_or_asked, session_options
from bearing_search.session.inputs import (
    DEMO,
    digest_for,
    recorded_bits,
    resolve_data,
    with_depths_told,
    writable_results,
)
from bearing_search.session.leak_gate import refuse_leaks
from bearing_search.session.preflight import check_images, check_models, edge_configs
from bearing_search.session.reproduction import announce_reproduction
from bearing_search.session.sweep_session import check_stores, drive
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.listing import list_sweeps
from bearing_search.sweep.folder.sweep_folder import (
    SweepFolder,
    create_sweep,
    load_sweep,
)
from bearing_search.sweep.record.sweep_record import SweepRecord, check_name
from bearing_search.trial_history.records import trial_config


class ReproductionOptions(TypedDict, total=False):
    """Further options of `reproduce`; each is a flag of the command as well."""

    profile: Profile | None
    """`paper` or `cpu`. Default: cpu for the demo data, else paper."""

    seeds: int | None
    """Number of runs of each kind. Default: 3, in the cpu profile 1."""

    scope: Scope
    """A model for each part (default), or one for all of them."""

    finetune: str | None
    """Fine-tuning settings of EN_train: a YAML file, a sweep, or SWEEP:NUMBER. Default: the
    paper's."""

    weights: Sequence[str]
    """DETECTOR=WEIGHTS pairs."""

    resources: ResourceFlags
    """GPUs, cores, cluster and time budget."""

    name: str | None
    """Name of the sweep. Default: from profile and data."""

    tracking_uri: str
    """MLflow's tracking URI. Default: mlflow.db in the results folder."""

    allow_leak: str
    """Why samples shared by train and test are accepted; every report repeats it."""

    console: Console | None
    """Where progress is printed. Default: stdout."""


def reproduce(
    data: str | Path = DEMO,
    detectors: str = "vitad,dinomaly",
    results: str | Path = "results",
    **options: Unpack[ReproductionOptions],
) -> Sweep:
    """Train every detector on the frozen and the fine-tuned encoder and score it on test.

    A second call resumes it. Tables and figures are in the sweep's folder.

    Args:
        data: folder of a data set, or `demo`.
        detectors: names, separated by commas.
        results: folder of all sweeps.
        options: see `ReproductionOptions`.

    Raises:
        ConfigError, DataError, WeightsError, ResourceError: no trial could run.
        SweepError: a sweep of that name has another design.
        LeakError: train and test share samples, and `allow_leak` is empty.
    """
    console = options.get("console") or terminal()
    profile: Profile = options.get("profile") or ("cpu" if data == DEMO else "paper")
    name = options.get("name") or default_name(profile, str(data))
    tracking_uri = options.get("tracking_uri", "")
    check_stores(Path(results), name, storage="", tracking_uri=tracking_uri)
    root = writable_results(Path(results))
    data_folder, data_set = resolve_data(str(data), root)
    finetune = options.get("finetune")
    settings, source = finetune_settings(finetune, root, console) if finetune else (None, "")
    design = Design(
        profile=profile,
        parts=data_set.parts,
        detectors=detector_names(detectors),
        seeds=options.get("seeds") or (1 if profile == "cpu" else 3),
        scope=options.get("scope", "per_part"),
        finetune=settings,
        finetune_source=source,
        weights=weights_of(options.get("weights", ())),
    )
    asked = session_options(**options.get("resources", ResourceFlags()))
    record = SweepRecord(
        name=name,
        space_text=space_text(design),
        space_source=f"reproduce, profile {profile}",
        data=str(data_folder),
        data_digest=digest_for("reproduction", data_set),
        task="reproduction",
        objective=objective_at(objective_level(data_set.samples("test")), "test"),
        sampler="grid",
        tracking_uri=tracking_uri,
    )
    record = asked.applied_to(record)
    is_new = record.name not in list_sweeps(root)
    folder = opened(root, record, data_set, console, options.get("allow_leak", ""))
    announce_reproduction(folder, data_set, console)
    resources = recorded_or_asked(folder.record.resources, record.resources)
    asked = replace(asked, resources=resources)
    return Sweep(folder, drive(folder, asked, console, is_new=is_new))


def opened(
    root: Path, record: SweepRecord, data_set: DataSet, console: Console, allow_leak: str
) -> SweepFolder:
    """The sweep's folder: new, or the existing one if it has the same design and data.

    Raises:
        ConfigError, DataError, WeightsError: no trial could run.
        SweepError: a sweep of that name has another design.
        LeakError: train and test share samples, and that is not allowed.
    """
    check_name(record.name)
    space = parse_search_space(record.space_text, record.name)
    configs = edge_configs(space)
    data_set = with_depths_told(data_set, configs[0], root, console)
    check_images(data_set.all_samples, console, configs)
    with console.status("loading the encoders' weights"):
        check_models(configs, cache=root / "cache")
    if record.name not in list_sweeps(root):
        protocol = to_plain(space.trial(space.default_suggestion()).protocol)
        allowed = refuse_leaks(data_set, configs, root, console, reason=allow_leak)
        bits = recorded_bits(data_set)
        record = replace(record, protocol=protocol, bits=bits, allowed_leak=allowed)
        return create_sweep(root, record, space)
    folder = load_sweep(root, record.name)
    if folder.record.task != "reproduction":
        raise SweepError(f"{record.name}: is a search, not a reproduction; choose another --name")
    folder.refuse_changes(space=space, data_digest=record.data_digest)
    console.print(f"{record.name} exists; resuming it")
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
        ConfigError: a pair is malformed, or names no detector.
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
        ConfigError: the file is not a config or space, or its encoder stays frozen.
        SweepError: there is no such sweep, or no trial of it is complete.
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
    raw = read_yaml(file)
    content = raw.get("base", raw) if isinstance(raw, dict) else None
    if not isinstance(content, dict) or "finetune" not in content:
        raise ConfigError(f"{file}: wanted a section `finetune`, of a trial or of a space's base")
    return parse(TrialConfig, content)
