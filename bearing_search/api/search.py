"""Starts a new sweep: check, search, compare."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack, cast

from rich.console import Console

from bearing_search.api.sweep import Sweep
from bearing_search.config import to_plain
from bearing_search.filesystem.yaml_text import yaml_text
from bearing_search.search_space.shipped import find_space
from bearing_search.search_space.space import SearchSpace
from bearing_search.search_space.yaml_file import load_search_space, parse_search_space
from bearing_search.session.flags import ResourceFlags, session_options
from bearing_search.session.inputs import (
    DEMO,
    objective_of,
    recorded_bits,
    resolve_data,
    train_digest,
    with_depths_told,
    writable_results,
)
from bearing_search.session.leak_gate import refuse_leaks
from bearing_search.session.preflight import (
    check_counted,
    check_folds,
    check_images,
    check_models,
    edge_configs,
)
from bearing_search.session.sweep_session import announce, check_stores, drive
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.sweep_folder import create_sweep, load_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord, check_name
from bearing_search.sweep.remote.object_store import FolderStore
from bearing_search.sweep.study.pruners import check_pruner
from bearing_search.sweep.study.samplers import check_sampler, sampler_spec
from bearing_search.sweep.warm_start import prior_trials

DEFAULT_TRIALS = 4


class SearchOptions(ResourceFlags, total=False):
    """Further options of `run_search`; each is a flag of `run` as well."""

    folds: int | None
    """Folds inside train; replaces split.folds. Default: as many as the defects allow."""

    seed: int
    """Seed of the sampler. Default: 0."""

    sampler: str
    """tpe (default), random, grid, ...: a key of `SAMPLERS`."""

    pruner: str
    """none (default), median, ...: a key of `PRUNERS`."""

    shares_stages: bool
    """Whether trials share the results of their stages. Default: True."""

    storage: str
    """Database URL of the study. Default: sqlite in the sweep's folder."""

    tracking_uri: str
    """MLflow's tracking URI. Default: mlflow.db in the results folder."""

    warm_start: str | None
    """Name of an earlier sweep over the same space and data, whose scores are known."""

    allow_leak: str
    """Why samples shared by train and test are accepted; every report repeats it."""

    console: Console | None
    """Where progress is printed. Default: stdout; `Console(quiet=True)` prints nothing."""


def run_search(
    space: str | Path | Mapping[str, Any] | SearchSpace = DEMO,
    data: str | Path = DEMO,
    *,
    trials: int | None = None,
    name: str | None = None,
    results: str | Path = "results",
    **options: Unpack[SearchOptions],
) -> Sweep:
    """Train and score trials until the target is reached; return the sweep.

    Ctrl-C ends it early: running trials save their state, and `Sweep.resume` continues.

    Args:
        space: a YAML file, the name of a shipped space, its content as nested mappings, or a
            parsed space.
        data: folder of a data set, or `demo` for the rendered demo data.
        trials: complete or pruned trials that end the sweep. Default: 4; all points for the
            sampler `grid`.
        name: of the sweep. Default: the space's name and the time.
        results: folder of all sweeps, of MLflow's database and of the cache.
        options: see `SearchOptions`.

    Raises:
        ConfigError: space, option or config that cannot be used.
        DataError: data that cannot be used.
        WeightsError: encoder weights that are missing.
        ResourceError: the installation, the results folder or Ray cannot be used.
        SweepError: a sweep of that name exists.
        LeakError: train and test share samples, and `allow_leak` is empty.
        TrialFailedError: the sweep ended without a score.
    """
    console = options.get("console") or terminal()
    searched, source = _as_space(space)
    name = name or f"{Path(source).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    check_name(name)
    folds, sampler, pruner = (
        options.get("folds"),
        options.get("sampler", "tpe"),
        options.get("pruner", "none"),
    )
    if folds is not None:
        searched = searched.with_setting("split.folds", folds)
    check_sampler(sampler, searched)
    storage, tracking_uri = options.get("storage", ""), options.get("tracking_uri", "")
    check_stores(Path(results), name, storage=storage, tracking_uri=tracking_uri)
    if depot := options.get("depot"):
        FolderStore(depot).check()
    asked = session_options(trials=trials, **_resource_flags(options))
    root = writable_results(Path(results))
    data_folder, data_set = resolve_data(str(data), root)
    base = searched.trial(searched.default_suggestion())
    plan = check_folds(data_set, base)
    check_pruner(pruner, max(map(len, plan.values())))
    objective = objective_of(data_set, searched.objective_spec, sorted(plan))
    edges = edge_configs(searched)
    check_counted(edges, searched.objective_spec)
    data_set = with_depths_told(data_set, base, root, console)
    check_images(data_set.samples("train"), console, edges)
    allowed = refuse_leaks(data_set, edges, root, console, reason=options.get("allow_leak", ""))
    with console.status("loading the encoder's weights"):
        check_models(edges, cache=root / "cache")
    record = SweepRecord(
        name=name,
        space_text=searched.text,
        space_source=source,
        data=str(data_folder),
        data_digest=train_digest(data_set),
        bits=recorded_bits(data_set),
        allowed_leak=allowed,
        objective=objective,
        target=0 if sampler_spec(sampler).is_exhaustive else DEFAULT_TRIALS,
        sampler=sampler,
        seed=options.get("seed", 0),
        folds=folds,
        pruner=pruner,
        storage=storage,
        tracking_uri=tracking_uri,
        shares_stages=options.get("shares_stages", True),
        protocol=to_plain(base.protocol),
    )
    record = asked.applied_to(record)
    if (warm_start := options.get("warm_start")) is not None:
        known = prior_trials(load_sweep(root, warm_start), record, searched)
        record = replace(record, known=known)
    folder = create_sweep(root, record, searched)
    announce(folder, searched, data_set, console)
    return Sweep(folder, drive(folder, asked, console, is_new=True))


def _as_space(space: str | Path | Mapping[str, Any] | SearchSpace) -> tuple[SearchSpace, str]:
    """The space, and the name from which its sweep's is derived."""
    if isinstance(space, SearchSpace):
        return space, "space"
    if isinstance(space, Mapping):
        return parse_search_space(yaml_text(space, "space"), "space"), "space"
    return load_search_space(find_space(str(space))), str(space)


def _resource_flags(options: SearchOptions) -> ResourceFlags:
    """The options that are flags of any session."""
    names = ResourceFlags.__annotations__
    return cast(ResourceFlags, {name: value for name, value in options.items() if name in names})
