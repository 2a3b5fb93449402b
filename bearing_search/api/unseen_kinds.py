"""The chosen setting on kinds of defect that it has not learned from; test stays sealed."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from bearing_search.analysis.postprocess_settings import rendered
from bearing_search.analysis.unseen_kinds import UnseenKind, unseen_kinds
from bearing_search.api.evaluation import EvaluationRequest, chosen_trial
from bearing_search.config import FIRST_SCHEME, TrialConfig, config_digest, to_plain
from bearing_search.data.dataset import DataSet, load_data_set
from bearing_search.errors import SweepError
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.filesystem.atomic import write_atomically, write_json
from bearing_search.measurement import TrialContext
from bearing_search.reporting.subset_tables import unseen_page
from bearing_search.session.comparison import refuse_incomparable
from bearing_search.session.in_process import chosen_device, follow, use_cores
from bearing_search.session.inputs import train_digest
from bearing_search.session.postprocessing import tuned, with_postprocess
from bearing_search.session.preflight import check_installation
from bearing_search.sweep.folder.changes import with_data
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.status import sweep_status
from bearing_search.text.durations import format_duration
from bearing_search.trial_history.records import trial_config


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenReport:
    """Scores of kinds left out, and where the page about them was written."""

    trial: int
    rows: tuple[UnseenKind, ...]
    page: Path
    """`evaluate/unseen_kinds.md`; `unseen_kinds.json` lies beside it."""


def leave_kinds_out(
    folder: SweepFolder, asked: EvaluationRequest, console: Console
) -> UnseenReport:
    """Train a setting once more for each kind of defect, without it, and score that kind.

    What that costs is printed first. Interrupted, it goes on when it is called again.

    Raises:
        SweepError: no trial is complete, the named one is not, train has changed, or there is
            nothing to leave out: no defect in train, or a setting that learns from none.
        ConfigError: the device is unknown or not there.
    """
    refuse_incomparable([folder])
    number = chosen_trial(folder, asked.trial, console)
    data_set = load_data_set(folder.data)
    folder = with_data(folder, train_digest(data_set), accepted=asked.refit_changed_data)
    settings = tuned(folder.root, number, console)
    config = with_postprocess(trial_config(folder.root, number), settings)
    _require_kinds(folder, number, config, data_set)
    device = chosen_device(asked.device)
    check_installation()
    from bearing_search.training.folds.fold_plan import unseen_kind_plans
    from bearing_search.trial import run_unseen_kinds  # torch: seconds

    use_cores()
    console.print(
        _cost_text(folder, number, len(unseen_kind_plans(config, data_set.samples("train"))))
    )
    digest = config_digest(to_plain(config), FIRST_SCHEME)
    data = train_digest(data_set)[:8]
    context = TrialContext(
        data=data_set.root,
        folder=folder.root / "evaluate" / f"unseen-{data}-{digest}",
        cache=folder.cache,
        device=device,
    )
    context.folder.mkdir(parents=True, exist_ok=True)
    write_json(context.folder / "config.json", to_plain(config))
    follow(run_unseen_kinds, config, context, console)
    seen = fold_predictions(folder.trial_folder(number))
    rows = unseen_kinds(
        fold_predictions(context.folder),
        {key: rendered(scored, settings.applied) for key, scored in seen.items()},
        config.protocol,
    )
    return _written(folder, number, rows)


def _require_kinds(
    folder: SweepFolder, number: int, config: TrialConfig, data_set: DataSet
) -> None:
    if config.finetune.epochs == 0:
        raise SweepError(
            f"{folder.record.name}: trial {number} leaves the encoder frozen and so learns from no "
            "defect; every kind is unseen in its folds already, and `compare` has their scores."
        )
    if not any(sample.is_anomalous for sample in data_set.samples("train")):
        raise SweepError(f"{folder.record.name}: train has no defect that could be left out.")


def _cost_text(folder: SweepFolder, number: int, count: int) -> str:
    record = next(trial for trial in sweep_status(folder).trials if trial.number == number)
    folds = len(list(folder.trial_folder(number).glob("*/*/unit.json")))
    said = f"{count} trainings, each about as long as a fold of the search"
    if not record.cost_s or not folds:
        return f"{said}:"
    each = record.cost_s / folds
    times = [format_duration(s, rounded=True) for s in (each, each * count)]
    return f"{said} ({times[0]} there, {times[1]} in all):"


def _written(folder: SweepFolder, number: int, rows: tuple[UnseenKind, ...]) -> UnseenReport:
    page = folder.root / "evaluate" / "unseen_kinds.md"
    text = unseen_page(folder.record.name, number, rows, folder.record.notes)
    content = {
        "sweep": folder.record.name,
        "trial": number,
        "notes": list(folder.record.notes),
        "kinds": [asdict(row) for row in rows],
    }
    write_atomically(page, text.encode())
    write_atomically(page.with_suffix(".json"), json.dumps(content, indent=2).encode())
    return UnseenReport(trial=number, rows=rows, page=page)
