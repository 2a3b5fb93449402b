"""Writes the driver's files in a sweep's folder."""

from collections.abc import Sequence
from dataclasses import asdict

from bearing_search.filesystem.atomic import write_json
from bearing_search.sweep.folder.sweep_folder import END, SweepFolder
from bearing_search.sweep.planning.identity import write_identity
from bearing_search.sweep.planning.required_trials import ScheduledTrial
from bearing_search.sweep.record.layout import TRIAL_STOP
from bearing_search.text.passwords import masked
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, MeasurementLog
from bearing_search.trial_history.records import SweepOutcome, TrialRecord
from bearing_search.trial_history.seed_noise import seed_noise


def remove_end(folder: SweepFolder) -> None:
    """Remove the previous session's end.json."""
    (folder.root / END).unlink(missing_ok=True)


def prepare_trial(folder: SweepFolder, scheduled: ScheduledTrial) -> None:
    """Create a trial's folder with config.json and identity.json, and remove an earlier STOP."""
    trial = folder.trial_folder(scheduled.number)
    trial.mkdir(parents=True, exist_ok=True)
    (trial / TRIAL_STOP).unlink(missing_ok=True)
    write_identity(trial, scheduled.config, folder.record, ledgers=scheduled.identity)


def measurement_log(folder: SweepFolder, number: int) -> MeasurementLog:
    """The measurement log of one trial, open for appending."""
    return MeasurementLog(folder.trial_folder(number) / MEASUREMENTS_FILE)


def stop_trial(folder: SweepFolder, number: int) -> None:
    """Ask one trial to stop, by a file for which its worker looks."""
    (folder.trial_folder(number) / TRIAL_STOP).touch()


def stop_if_deleted(folder: SweepFolder, number: int) -> str:
    """Ask a trial to stop if its folder was deleted under it; returns the reason, or nothing."""
    trial = folder.trial_folder(number)
    if trial.is_dir():
        return ""
    trial.mkdir(parents=True)
    stop_trial(folder, number)
    return f"its folder {trial} was deleted while it ran"


def write_seed_noise(folder: SweepFolder, trials: Sequence[TrialRecord]) -> None:
    """Write seed_noise.json, if a setting was run under several seeds."""
    if (noise := seed_noise(trials)) is not None:
        write_json(folder.root / "seed_noise.json", asdict(noise))


def write_end(folder: SweepFolder, outcome: SweepOutcome, error: Exception | None) -> None:
    """Write end.json: why the session ended; empty if the target was reached.

    Args:
        folder: folder of the sweep.
        outcome: outcome of the session.
        error: the error that ended it; None: none.
    """
    why = outcome.shortfall
    if error is not None:
        why = f"stopped by an error: {masked(' '.join(str(error).split()))}"
    elif outcome.stopped_by:
        why = f"stopped by {outcome.stopped_by}"
    write_json(folder.root / END, {"why": why})
