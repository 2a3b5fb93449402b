"""The chosen setting, trained on all of train and scored on test; once."""

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bearing_search.analysis.postprocess_settings import rendered
from bearing_search.config import FIRST_SCHEME, TrialConfig, config_digest, to_plain
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import SweepError
from bearing_search.evaluation.predictions import fold_predictions
from bearing_search.filesystem.atomic import write_json
from bearing_search.measurement import TrialContext
from bearing_search.reporting.test_evaluation import (
    ComparedPredictions,
    Evaluation,
    read_evaluation,
    write_evaluation,
)
from bearing_search.session.comparison import board_of, refuse_incomparable
from bearing_search.session.in_process import chosen_device, follow, use_cores
from bearing_search.session.leak_gate import refuse_leaks
from bearing_search.session.postprocessing import tuned as tuned_knobs
from bearing_search.session.postprocessing import with_postprocess
from bearing_search.session.preflight import check_installation
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.status import sweep_status
from bearing_search.trial_history.records import trial_config


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What `evaluate` is asked."""

    trial: int | None = None
    """Number of the trial; None: the one to use."""

    again: bool = False
    """Whether test is opened although it was opened before; reports count it."""

    device: str = "auto"
    """cpu, cuda, or auto."""

    allow_leak: str = ""
    """Why samples shared by train and test are accepted; empty: they are not."""


def evaluate(
    folder: SweepFolder, asked: EvaluationRequest, console: Console | None = None
) -> Evaluation:
    """Train a setting on all of train and score it on test, beside the frozen encoder.

    Test is opened once: asked again for the same trial, it returns what was found then.

    Raises:
        SweepError: no trial is complete, the named one is not, or test was opened for another.
        LeakError: train and test share samples, and nobody has allowed it.
        ConfigError: the device is unknown or not there.
    """
    console = console or terminal()
    refuse_incomparable([folder])
    number = chosen_trial(folder, asked.trial, console)
    opened = read_evaluation(folder.root)
    if opened is None or asked.again:
        folder = guarded(folder, number, asked.allow_leak, console)
        return measure(folder, number, chosen_device(asked.device), console, opened)
    if opened.trial != number:
        raise SweepError(
            f"{folder.record.name}: test was opened for trial {opened.trial} already. A second "
            "look makes its score optimistic; --again takes one all the same, and the report says "
            "so."
        )
    return opened


def guarded(folder: SweepFolder, number: int, reason: str, console: Console) -> SweepFolder:
    """The sweep, with what the leak guard let pass; test may have changed since it began.

    Raises:
        LeakError: train and test share what nobody has allowed.
    """
    data_set = load_data_set(Path(folder.record.data))
    allowed = refuse_leaks(
        data_set,
        [trial_config(folder.root, number)],
        folder.root.parent,
        console,
        reason=reason,
        known=folder.record.allowed_leak,
    )
    return folder.with_allowed_leak(allowed or folder.record.allowed_leak)


def chosen_trial(folder: SweepFolder, number: int | None, console: Console) -> int:
    """The trial that was asked for, or the one to use (see `analysis.choice`).

    Raises:
        SweepError: no trial is complete or keeps the constraints, the named one is not complete, or
            the sweep is no search.
    """
    if folder.record.task == "reproduction":
        raise SweepError(
            f"{folder.record.name}: a reproduction; its trials were scored on test already, and "
            "nothing may be chosen by that"
        )
    complete = [t for t in sweep_status(folder).trials if t.state == "complete"]
    if not complete:
        raise SweepError(f"{folder.record.name}: no trial is complete yet; `resume` it first.")
    if number is None:
        board = board_of([folder], console)
        assert board is not None
        if board.selection.chosen is None:
            raise SweepError(
                f"{folder.record.name}: every complete trial misses a constraint, so that none is "
                "to be used; name one with --trial"
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
    device: str,
    console: Console,
    earlier: Evaluation | None,
) -> Evaluation:
    """Train both encoders' decoders, open the test set, write what was found."""
    check_installation()
    from bearing_search.trial import run_final  # torch: seconds

    use_cores()
    settings = tuned_knobs(folder.root, number, console)
    tuned = with_postprocess(trial_config(folder.root, number), settings)
    frozen = replace(
        tuned, finetune=replace(tuned.finetune, epochs=0, reconstruction_only_epochs=0)
    )
    data_set = load_data_set(Path(folder.record.data))
    scores = {}
    for label, config in (("tuned", tuned), ("frozen", frozen)):
        console.print(f"{label} encoder, trained on all of train:")
        context = TrialContext(
            data=data_set.root,
            folder=final_folder(folder, config, earlier),
            cache=folder.cache,
            shares_stages=False,  # so that the weights are kept here
            device=device,
        )
        context.folder.mkdir(parents=True, exist_ok=True)
        write_json(context.folder / "config.json", to_plain(config))
        follow(run_final, config, context, console)
        scores[label] = fold_predictions(context.folder)
    predictions = ComparedPredictions(
        tuned=scores["tuned"],
        frozen=scores["frozen"],
        validation={
            key: rendered(scored, settings.applied)
            for key, scored in fold_predictions(folder.trial_folder(number)).items()
        },
        protocol=tuned.protocol,
        postprocess=tuned.postprocess,
    )
    return write_evaluation(
        folder.root,
        predictions,
        sweep=folder.record.name,
        trial=number,
        times_opened=(earlier.times_opened if earlier else 0) + 1,
        notes=folder.record.notes,
    )


def final_folder(folder: SweepFolder, config: TrialConfig, earlier: Evaluation | None) -> Path:
    """Folder of one final training: an interrupted one goes on, another look starts afresh."""
    look = (earlier.times_opened if earlier else 0) + 1
    digest = config_digest(to_plain(config), FIRST_SCHEME)  # every setting of today counts
    return folder.root / "evaluate" / f"look{look}-{digest}"
