"""Trains the chosen setting on train and scores it on test, once."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypedDict

from rich.console import Console

from bearing_search.analysis.postprocess_settings import rendered
from bearing_search.analysis.subsets import kinds_in_training
from bearing_search.config import FIRST_SCHEME, TrialConfig, config_digest, to_plain
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import SweepError
from bearing_search.evaluation.prediction_files import (
    STRESS_FILE,
    fold_predictions,
    without_calibration,
)
from bearing_search.evaluation.predictions import Predictions
from bearing_search.filesystem.atomic import write_json
from bearing_search.measurement import TrialContext, metric_of
from bearing_search.reporting.evaluation_markdown import write_evaluation
from bearing_search.reporting.sentences import chosen_on_lines
from bearing_search.reporting.test_evaluation import (
    ComparedPredictions,
    Evaluation,
    evaluation_of,
    read_evaluation,
)
from bearing_search.session.comparison import board_of, refuse_incomparable
from bearing_search.session.in_process import chosen_device, follow, use_cores
from bearing_search.session.inputs import train_digest, with_bits, with_depths_told
from bearing_search.session.leak_gate import refuse_leaks
from bearing_search.session.postprocessing import tuned as tuned_knobs
from bearing_search.session.postprocessing import with_postprocess
from bearing_search.session.preflight import check_installation
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.changes import with_data
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.status import sweep_status
from bearing_search.trial_history.records import trial_config


class EvaluationOptions(TypedDict, total=False):
    """Further options of `evaluate`; each is a flag of the command as well."""

    again: bool
    """Whether test is opened although it was opened before; reports count it. Default: False."""

    device: str
    """cpu, cuda, or auto (default)."""

    allow_leak: str
    """Why samples shared by train and test are accepted. Default: they are not."""

    refit_changed_data: bool
    """Whether to go on although train has changed since the search; every report says so. Default:
    False."""

    calibrates: bool
    """Whether normal samples of train are set aside to make thresholds for the final model.
    Default: True; False trains on all of train, with thresholds that promise nothing."""

    has_stress_set: bool
    """Whether normal test samples are scored again with changed light, camera and drawn dents.
    Default: True."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """Options of `evaluate`: those of `EvaluationOptions`, and the trial."""

    trial: int | None = None
    """Number of the trial; None: the one to use."""

    again: bool = False
    device: str = "auto"
    allow_leak: str = ""
    refit_changed_data: bool = False
    calibrates: bool = True
    has_stress_set: bool = True


def evaluate(
    folder: SweepFolder, asked: EvaluationRequest, console: Console | None = None
) -> Evaluation:
    """Train a setting on train and score it on test, alongside the frozen encoder.

    Test is opened once: a second call for the same trial returns the first result.

    Raises:
        SweepError: no trial is complete, the named one is not, test was opened for another, or
            train has changed since the search and that is not allowed.
        LeakError: train and test share samples, and that is not allowed.
        ConfigError: the device is unknown or not available.
    """
    console = console or terminal()
    refuse_incomparable([folder])
    number = chosen_trial(folder, asked.trial, console)
    opened = read_evaluation(folder.root)
    if opened is None or asked.again:
        now = train_digest(load_data_set(folder.data))
        folder = with_data(folder, now, accepted=asked.refit_changed_data)
        folder = guarded(folder, number, asked.allow_leak, console)
        asked = replace(asked, device=chosen_device(asked.device))
        return measure(folder, number, asked, console, opened)
    if opened.trial != number:
        raise SweepError(
            f"{folder.record.name}: test was already opened for trial {opened.trial}. A second "
            "look makes its score optimistic; --again takes one all the same, and the report says "
            "so."
        )
    return opened


def guarded(folder: SweepFolder, number: int, reason: str, console: Console) -> SweepFolder:
    """The sweep, with the leaks that are allowed; test may have changed since it began.

    Raises:
        LeakError: train and test share samples, and that is not allowed.
    """
    config, root = trial_config(folder.root, number), folder.root.parent
    data_set = load_data_set(folder.data)
    data_set = with_depths_told(data_set, config, root, console, folder.record.bits)
    allowed = refuse_leaks(
        data_set,
        [config],
        root,
        console,
        reason=reason,
        known=folder.record.allowed_leak,
    )
    return folder.with_allowed_leak(allowed or folder.record.allowed_leak)


def chosen_trial(folder: SweepFolder, number: int | None, console: Console) -> int:
    """The requested trial, or the one to use (see `analysis.choice`).

    Raises:
        SweepError: no trial is complete or meets the constraints, the named one is not complete, or
            the sweep is not a search.
    """
    if folder.record.task == "reproduction":
        raise SweepError(
            f"{folder.record.name}: a reproduction; its trials were already scored on test, and "
            "no setting may be chosen by that"
        )
    complete = [t for t in sweep_status(folder).trials if t.state == "complete"]
    if not complete:
        raise SweepError(f"{folder.record.name}: no trial is complete yet; `resume` it first.")
    if number is None:
        board = board_of([folder], console)
        assert board is not None
        if board.selection.chosen is None:
            raise SweepError(
                f"{folder.record.name}: every complete trial misses a constraint, so none is "
                "recommended; name one with --trial"
            )
        return board.selection.chosen.number
    if number not in {t.number for t in complete}:
        known = ", ".join(str(t.number) for t in complete)
        raise SweepError(
            f"{folder.record.name}: trial {number} is not complete; these are: {known}"
        )
    return number


def measure(
    folder: SweepFolder,
    number: int,
    asked: EvaluationRequest,
    console: Console,
    earlier: Evaluation | None,
) -> Evaluation:
    """Train a detector on both encoders, score them on test, and write the result."""
    check_installation()
    from bearing_search.trial import run_calibrated, run_final  # torch: seconds

    use_cores()
    settings = tuned_knobs(folder.root, number, console)
    chosen = with_bits(trial_config(folder.root, number), folder.record.bits)
    chosen = with_postprocess(chosen, settings)
    frozen = replace(
        chosen, finetune=replace(chosen.finetune, epochs=0, reconstruction_only_epochs=0)
    )
    is_tuned = chosen.finetune.epochs > 0
    used = "tuned" if is_tuned else "frozen"
    run, learned_from = (
        (run_calibrated, "train but for the calibration samples")
        if asked.calibrates
        else (run_final, "all of train")
    )
    scores, aside = {}, {}
    stress: dict[str, Predictions] = {}
    for label, config in (("tuned", chosen), ("frozen", frozen)):
        if label == "tuned" and not is_tuned:
            continue
        console.print(f"{label} encoder, trained on {learned_from}:")
        stresses = asked.has_stress_set and label == used
        kind = "-calibrated" * asked.calibrates + "-stress" * stresses
        context = TrialContext(
            data=folder.data,
            folder=final_folder(folder, config, earlier, kind=kind),
            cache=folder.cache,
            shares_stages=False,  # so that the weights are kept here
            device=asked.device,
        )
        context.folder.mkdir(parents=True, exist_ok=True)
        write_json(context.folder / "config.json", to_plain(config))
        follow(partial(run, stresses=stresses), config, context, console)
        stress |= fold_predictions(context.folder, STRESS_FILE)
        scored = {k: without_calibration(v) for k, v in fold_predictions(context.folder).items()}
        scores[label] = {key: test for key, (test, _) in scored.items()}
        aside[label] = {key: normal for key, (_, normal) in scored.items()}
    predictions = ComparedPredictions(
        tuned=scores.get("tuned"),
        frozen=scores["frozen"],
        validation={
            key: rendered(scored, settings.applied)
            for key, scored in fold_predictions(folder.trial_folder(number)).items()
        },
        protocol=chosen.protocol,
        postprocess=chosen.postprocess,
        calibration=aside[used] if asked.calibrates else None,
        stress=stress,
        trained_kinds=kinds_in_training(chosen, load_data_set(folder.data)),
        objective=metric_of(folder.record.objective),
    )
    evaluation = evaluation_of(
        predictions,
        sweep=folder.record.name,
        trial=number,
        times_opened=(earlier.times_opened if earlier else 0) + 1,
        notes=(*folder.record.notes, *chosen_on_lines(folder.trial_folder(number))),
    )
    write_evaluation(folder.root, evaluation)
    return evaluation


def final_folder(
    folder: SweepFolder, config: TrialConfig, earlier: Evaluation | None, *, kind: str
) -> Path:
    """Folder of one final training: an interrupted one is resumed, another look starts afresh."""
    look = (earlier.times_opened if earlier else 0) + 1
    digest = config_digest(to_plain(config), FIRST_SCHEME)  # every setting of today counts
    return folder.root / "evaluate" / f"look{look}-{digest}{kind}"
