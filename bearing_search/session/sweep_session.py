"""A session of a sweep: plan, run, report."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rich.console import Console

from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.data.dataset import DataSet, load_data_set
from bearing_search.errors import BearingSearchError, ConfigError, DataError, TrialFailedError
from bearing_search.filesystem.database_url import is_same_database, sqlite_url
from bearing_search.reporting.leaderboard import end_of_sweep
from bearing_search.search_space.space import SearchSpace
from bearing_search.session.comparison import board_of, write_board
from bearing_search.session.inputs import digest_for, objective_lines, split_lines
from bearing_search.session.leak_gate import sentence
from bearing_search.session.preflight import edge_configs, turned_light_findings
from bearing_search.session.progress import SweepProgress
from bearing_search.session.reproduction import finish_reproduction
from bearing_search.session.terminal import print_problem
from bearing_search.stage_cache.beginnings import drop_beginnings
from bearing_search.stage_cache.key import ENCODER_SECTIONS
from bearing_search.stage_cache.limit import set_limit_of
from bearing_search.sweep.engine import discard, run_sweep
from bearing_search.sweep.folder.listing import LEDGER, begun_trials
from bearing_search.sweep.folder.relocation import absolute_url, checked_home
from bearing_search.sweep.folder.sweep_folder import SweepFolder, load_sweep
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.urls import refuse_password
from bearing_search.sweep.status import has_reached_target
from bearing_search.sweep.study.storage import check_ledger
from bearing_search.sweep.worker.process import LazyTrial
from bearing_search.text.passwords import without_password
from bearing_search.text.program import program
from bearing_search.tracking import MlflowTracker, check_store, default_tracking_uri
from bearing_search.trial_history.records import SweepOutcome, SweepTask

_FUNCTIONS: Mapping[SweepTask, str] = {"search": "run_trial", "reproduction": "run_final"}


def drive(
    folder: SweepFolder, options: SessionOptions, console: Console, *, is_new: bool = False
) -> SweepOutcome:
    """Run a sweep's trials; print and return how the session ended.

    Args:
        folder: the sweep.
        options: of this session.
        console: where progress is printed.
        is_new: whether the sweep was created for this session; if it is refused before a trial
            begins, nothing remains of it.

    Raises:
        TrialFailedError: it ended without a single score.
    """
    root, name = folder.root.parent, folder.record.name
    tracker = MlflowTracker(folder.tracking_uri or default_tracking_uri(root))
    outcome = _run(folder, options, (SweepProgress(console), tracker), is_new=is_new)
    folder = with_data_compared(load_sweep(root, name), console)
    if outcome.stopped_by:
        console.print(
            f"stopped by {outcome.stopped_by}; nothing is lost. Resume with:\n"
            f"  {program()} resume {name}{results_flag(root)}"
        )
    elif not outcome.count("complete"):
        reasons = [trial.reason for trial in outcome.trials if trial.reason]
        last = f"; the last reason: {reasons[-1]}" if reasons else ""
        raise TrialFailedError(f"{name}: no trial gave a score{last}")
    if outcome.shortfall:
        console.print(outcome.shortfall)
    best = _report(folder, outcome, tracker, console)
    if outcome.is_done and not outcome.stopped_by:
        chosen = [trial.number for trial in best.trials] if best is not None else []
        drop_intermediate_stages(folder, console, chosen=chosen)
    return outcome


def with_data_compared(folder: SweepFolder, console: Console) -> SweepFolder:
    """The sweep, whose reports say so from now on if its data changed while trials ran."""
    record = folder.record
    try:
        now = digest_for(record.task, load_data_set(folder.data))
    except DataError as error:  # trials without their files have failed
        print_problem(console, f"warning: the data can no longer be read: {error}")
        return folder
    if now == record.data_digest:
        return folder
    noticed = datetime.now().astimezone().isoformat(timespec="seconds")
    folder = folder.with_record(replace(record, data_changed=record.data_changed or noticed))
    print_problem(
        console,
        f"warning: {folder.data} has changed since the sweep began (digest {now}, it was "
        f"{record.data_digest}), so scores may be of other data. Every report says so; start a "
        "new sweep under another name to be sure",
    )
    return folder


def _report(
    folder: SweepFolder, outcome: SweepOutcome, tracker: MlflowTracker, console: Console
) -> RankedSetting | None:
    """Write and print the report; return the recommended setting of a search, if there is one."""
    root, name = folder.root.parent, folder.record.name
    if folder.record.task == "reproduction":
        for file in finish_reproduction(folder, outcome, console):
            tracker.attach(file)
        return None
    if (board := board_of([folder], console)) is None:
        return None
    for file in write_board(folder.root, name, board, folder.space().question, console):
        tracker.attach(file)
    _mark(board.selection.chosen, folder, tracker)
    console.print(end_of_sweep(name, board, program=program(), flag=results_flag(root)))
    return board.selection.chosen


def _run(
    folder: SweepFolder,
    options: SessionOptions,
    callbacks: tuple[SweepProgress, MlflowTracker],
    *,
    is_new: bool,
) -> SweepOutcome:
    tracking = folder.tracking_uri or default_tracking_uri(folder.root.parent)
    refuse_one_database(folder.storage_url, tracking)
    record = checked_home(folder.root, folder.record)
    set_limit_of(folder.cache / "stages")  # refused if it is damaged
    folder = folder.with_unsaved(record) if options.join else folder.with_record(record)
    run_trial = LazyTrial("bearing_search.trial", _FUNCTIONS[folder.record.task])
    try:
        return run_sweep(folder, run_trial, options, callbacks)
    except BearingSearchError:
        if is_new and not begun_trials(folder.root):
            callbacks[1].discard()
            discard(folder)
        raise


def check_stores(results: Path, name: str, *, storage: str, tracking_uri: str) -> None:
    """Refuse stores given for a new sweep if they cannot be used; writes nothing to the study's.

    Args:
        results: folder of all sweeps.
        name: name of the sweep.
        storage: URL of the study as given; empty: none was.
        tracking_uri: MLflow's as given; empty: none was.

    Raises:
        ConfigError: a URL holds a password, or the study and MLflow would have one database.
        ResourceError, SweepError: a store cannot be reached, or another version made it.
    """
    refuse_password(storage=storage, tracking_uri=tracking_uri)
    ledger = absolute_url(storage, Path.cwd()) or sqlite_url(results.resolve() / name / LEDGER)
    tracking = absolute_url(tracking_uri, Path.cwd()) or default_tracking_uri(results)
    refuse_one_database(ledger, tracking)
    if storage:
        check_ledger(ledger)
    if tracking_uri:
        check_store(tracking)


def refuse_one_database(ledger: str, tracking: str) -> None:
    """Refuse one database for the study and for MLflow, in any spelling.

    Raises:
        ConfigError: the two URLs name one database.
    """
    if is_same_database(ledger, tracking):
        raise ConfigError(
            f"--storage and --tracking-uri name one database, {without_password(ledger)}, but the "
            "study and MLflow keep tables of the same names; give each its own"
        )


def drop_intermediate_stages(
    folder: SweepFolder, console: Console, *, chosen: Collection[int]
) -> None:
    """Delete shared stages from which no trial goes on; print how much that freed.

    Args:
        chosen: trials of the recommended setting, whose encoders stay.
    """
    root = folder.root.parent
    varied = {path.partition(".")[0] for path in folder.space().parameters}
    dropped = drop_beginnings(
        folder.cache / "stages",
        is_over=lambda sweep: has_reached_target(root / sweep),
        may_share_encoders=not varied <= {*ENCODER_SECTIONS, "postprocess", "protocol"},
        keep_encoders_of=[
            folder.trial_folder(number).relative_to(root).as_posix() for number in chosen
        ],
    )
    if freed := sum(entry.bytes for entry in dropped):
        size = f"{freed / 1e9:.1f} GB" if freed >= 1e9 else f"{freed / 1e6:.1f} MB"
        console.print(f"freed {size} of intermediate stages, from which no trial goes on")


def _mark(chosen: RankedSetting | None, folder: SweepFolder, tracker: MlflowTracker) -> None:
    """Mark the recommended setting in MLflow."""
    if chosen is None:
        tracker.mark([], {}, {})
        return
    scores = {folder.record.objective: chosen.value.value}
    if chosen.use is not None:
        scores |= {"gflop_per_sample": chosen.use.gflop, "megabytes": chosen.use.megabytes}
    told = dict(chosen.trials[0].suggestion)
    if chosen.defects.parts:
        told["drawn_defects"] = list(chosen.defects.parts)
    tracker.mark([t.number for t in chosen.trials], scores, told)


def announce(folder: SweepFolder, space: SearchSpace, data_set: DataSet, console: Console) -> None:
    """Print what is about to run."""
    record = folder.record
    parts = data_set.chosen_parts(space.trial(space.default_suggestion()).parts)
    lines = [
        f"sweep {record.name}: {space.question}",
        f"  {record.target} trials over {', '.join(space.parameters)}",
        f"  data {folder.data} (digest {record.data_digest})",
        *(f"  {line}" for line in split_lines(data_set, space)),
        *(f"  {line}" for line in objective_lines(data_set, record.objective, parts)),
    ]
    console.print("\n".join(lines))
    for found in turned_light_findings(data_set.samples("train"), edge_configs(space)):
        print_problem(console, f"warning: {sentence(found)}")


def results_flag(results: Path) -> str:
    """` --results DIR`; empty for the default folder of this working directory."""
    return "" if results == Path("results").resolve() else f" --results {shlex.quote(str(results))}"
