"""Real MLflow on a sqlite file; the sweep around it is made by hand."""

import json
import logging
import sqlite3
from contextlib import closing

import pytest

from bearing_search.config import TrialConfig
from bearing_search.errors import ResourceError
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.tracking import MlflowTracker, default_tracking_uri
from bearing_search.trial_history.callbacks import SweepView, TrialEnded, TrialStarted
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, MeasurementLog
from bearing_search.trial_history.records import SweepOutcome, TrialRecord

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # MLflow's own, of its many dependencies
]

SUGGESTION = {"finetune.ssim_layers": [11, 12], "finetune.encoder_lr": 1e-5}


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return default_tracking_uri(tmp_path_factory.mktemp("results"))


@pytest.fixture
def client(uri):
    from bearing_search.tracking.store import connect

    return connect(uri)


@pytest.fixture
def sweep(tmp_path, request):
    return SweepView(
        name=request.node.name,
        sweep_id=request.node.name,
        folder=tmp_path,
        target=2,
        facts={"question": "which?", "git_commit": ""},
    )


def measurement(step, **extra):
    return Measurement(
        step=step,
        values={"train/loss": 1 / step, **extra},
        progress=step / 4,
        tags={"data_digest": "d1"},
    )


def record(number, state, **facts):
    return TrialRecord(number=number, state=state, suggestion=SUGGESTION, **facts)


def started(number, *, digest="0c1d", identity=""):
    return TrialStarted(
        number=number,
        config=TrialConfig(),
        digest=digest,
        suggestion=SUGGESTION,
        identity=identity,
    )


def run_trial(tracker, sweep, number=0, steps=(1, 2, 3, 4), end="complete", reason=""):
    """What the controller does for one trial: the measurement log first, then the callback."""
    folder = sweep.trial_folder(number)
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "artifacts" / "map.txt").write_text("a picture")
    measurement_log = MeasurementLog(folder / MEASUREMENTS_FILE)
    tracker.on_trial_start(started(number))
    for step in steps:
        extra = {OBJECTIVE: 0.5} if step == 4 else {}
        measurement_log.append(measurement(step, **extra))
        tracker.on_measurement(number, measurement(step, **extra))
    if end:
        value = 0.5 if end == "complete" else None
        tracker.on_trial_end(TrialEnded(number=number, state=end, value=value, reason=reason))


def runs_of(client, sweep):
    """Trial number (None: the sweep's own) -> run."""
    experiment = client.get_experiment_by_name(sweep.name)
    runs = client.search_runs([experiment.experiment_id])
    numbers = [run.data.tags.get("bearing_search.trial") for run in runs]
    assert len(set(numbers)) == len(numbers)
    return {None if n is None else int(n): run for n, run in zip(numbers, runs, strict=True)}


def steps_of(client, run):
    return [metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")]


def artifacts_of(client, run, path=""):
    return {item.path for item in client.list_artifacts(run.info.run_id, path)}


def test_a_finished_sweep_is_one_parent_and_a_run_per_trial(client, uri, sweep, tmp_path):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    run_trial(tracker, sweep, 0)
    (sweep.trial_folder(1) / "artifacts").mkdir(parents=True)
    (sweep.trial_folder(1) / "traceback.txt").write_text("Traceback")
    run_trial(tracker, sweep, 1, steps=(1,), end="failed", reason="no circle in LC_031")
    run_trial(tracker, sweep, 2, steps=(1, 2), end="pruned")
    report = tmp_path / "report.md"
    report.write_text("# report")
    tracker.on_sweep_end(
        SweepOutcome(
            target=2,
            trials=[record(0, "complete", value=0.5), record(1, "failed"), record(2, "pruned")],
        )
    )
    tracker.attach(report)

    runs = runs_of(client, sweep)
    assert {n: run.info.status for n, run in runs.items()} == {
        None: "FINISHED",
        0: "FINISHED",
        1: "FAILED",
        2: "KILLED",
    }
    states = {n: run.data.tags.get("bearing_search.state") for n, run in runs.items()}
    assert states == {None: None, 0: "complete", 1: "failed", 2: "pruned"}
    assert OBJECTIVE not in runs[2].data.metrics
    done = runs[0]
    assert done.data.params == {k: json.dumps(v) for k, v in SUGGESTION.items()}
    assert done.data.metrics[OBJECTIVE] == 0.5
    assert steps_of(client, done) == [1, 2, 3, 4]
    assert done.data.tags["data_digest"] == "d1"
    assert done.data.tags["mlflow.parentRunId"] == runs[None].info.run_id
    assert artifacts_of(client, done) == {"config.json", "map.txt"}
    assert runs[1].data.tags["reason"] == "no circle in LC_031"
    assert "traceback.txt" in artifacts_of(client, runs[1])
    parent = runs[None].data
    assert parent.metrics == {
        "trials/complete": 1,
        "trials/failed": 1,
        "trials/pruned": 1,
        f"highest/{OBJECTIVE}": 0.5,
    }
    assert parent.tags["highest.finetune.ssim_layers"] == "[11, 12]"
    assert parent.tags["question"] == "which?"
    assert artifacts_of(client, runs[None]) == {"summary.json", "report.md"}


def test_the_setting_to_use_is_marked_and_no_other(client, uri, sweep):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    for number in range(3):
        run_trial(tracker, sweep, number)
    tracker.mark([0, 2], {OBJECTIVE: 0.5}, {"finetune.epochs": 40, "size": "small"})
    tracker.mark([1], {OBJECTIVE: 0.75}, {"finetune.epochs": 20})

    runs = runs_of(client, sweep)
    marks = {n: run.data.tags.get("bearing_search.to_use") for n, run in runs.items()}
    assert marks == {None: None, 0: "no", 1: "yes", 2: "no"}
    parent = runs[None].data
    assert {k: v for k, v in parent.tags.items() if k.startswith("to_use")} == {
        "to_use.trial": "1",
        "to_use.trials": "[1]",
        "to_use.finetune.epochs": "20",
    }
    assert parent.metrics[f"to_use/{OBJECTIVE}"] == 0.75

    tracker.mark([], {}, {})
    runs = runs_of(client, sweep)
    assert {run.data.tags.get("bearing_search.to_use") for run in runs.values()} == {None, "no"}
    assert runs[None].data.tags["to_use.trials"] == "[]"
    assert "to_use.trial" not in runs[None].data.tags


def test_a_stopped_trial_goes_on_in_its_own_run(client, uri, sweep):
    first = MlflowTracker(uri)
    first.on_sweep_start(sweep)
    run_trial(first, sweep, steps=(1, 2), end="stopped", reason="signal")
    stopped = SweepOutcome(
        target=2, trials=[record(0, "running")], is_done=False, stopped_by="signal"
    )
    first.on_sweep_end(stopped)
    assert {run.info.status for run in runs_of(client, sweep).values()} == {"KILLED"}

    second = MlflowTracker(uri)
    second.on_sweep_start(sweep)
    run_trial(second, sweep)

    run = runs_of(client, sweep)[0]
    assert run.info.status == "FINISHED"
    assert steps_of(client, run) == [1, 2, 3, 4]


def again(sweep, *trials):
    return SweepView(
        name=sweep.name,
        sweep_id=sweep.sweep_id,
        folder=sweep.folder,
        target=sweep.target,
        trials=trials,
    )


@pytest.mark.parametrize(
    ("state", "status"), [("complete", "FINISHED"), ("failed", "FAILED"), ("pruned", "KILLED")]
)
def test_a_kill_between_the_ledger_and_mlflow_is_mended_at_the_next_start(
    client, uri, sweep, state, status
):
    killed = MlflowTracker(uri)
    killed.on_sweep_start(sweep)
    run_trial(killed, sweep, steps=(1, 2), end="")
    measurement_log = MeasurementLog(sweep.trial_folder(0) / MEASUREMENTS_FILE)
    measurement_log.append(measurement(3))  # written, and not yet logged

    MlflowTracker(uri).on_sweep_start(again(sweep, record(0, state)))

    run = runs_of(client, sweep)[0]
    assert run.info.status == status
    assert steps_of(client, run) == [1, 2, 3]
    assert "map.txt" in artifacts_of(client, run)


def test_a_trial_that_was_never_logged_gets_its_run_at_the_next_start(client, uri, sweep):
    folder = sweep.trial_folder(0)
    folder.mkdir(parents=True)
    MeasurementLog(folder / MEASUREMENTS_FILE).append(measurement(4, **{OBJECTIVE: 0.5}))

    refused = record(1, "failed")  # never begun: it has no folder
    MlflowTracker(uri).on_sweep_start(again(sweep, record(0, "complete"), refused))

    runs = runs_of(client, sweep)
    assert set(runs) == {None, 0}
    assert runs[0].info.status == "FINISHED"
    assert runs[0].data.metrics[OBJECTIVE] == 0.5
    assert runs[0].data.params["finetune.ssim_layers"] == "[11, 12]"


def test_a_run_left_running_is_ended_until_its_trial_goes_on(client, uri, sweep):
    killed = MlflowTracker(uri)
    killed.on_sweep_start(sweep)
    run_trial(killed, sweep, steps=(1,), end="")

    MlflowTracker(uri).on_sweep_start(again(sweep, record(0, "running")))

    assert runs_of(client, sweep)[0].info.status == "KILLED"


def test_two_sweeps_of_one_name_do_not_mix(client, uri, sweep):
    for sweep_id in ("a", "b"):
        tracker = MlflowTracker(uri)
        view = SweepView(
            name=sweep.name, sweep_id=sweep_id, folder=sweep.folder / sweep_id, target=1
        )
        tracker.on_sweep_start(view)
        run_trial(tracker, view)

    experiment = client.get_experiment_by_name(sweep.name)
    runs = client.search_runs([experiment.experiment_id], "tags.`bearing_search.trial` = '0'")
    assert [steps_of(client, run) for run in runs] == [[1, 2, 3, 4]] * 2


def test_a_store_that_goes_away_is_caught_up_with_and_the_sweep_goes_on(
    client, uri, sweep, caplog, monkeypatch
):
    from mlflow.exceptions import MlflowException

    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    run_trial(tracker, sweep, steps=(1, 2), end="")
    real = tracker._runs._client

    class Away:
        def __getattr__(self, name):
            raise MlflowException("connection refused")

    with caplog.at_level(logging.WARNING):
        tracker._runs._client = Away()
        run_trial(tracker, sweep, 0, steps=(3,), end="")
        run_trial(tracker, sweep, 0, steps=(4,))
        run_trial(tracker, sweep, 1)
    assert caplog.text.count("does not respond; the sweep continues: connection refused") == 1

    tracker._runs._client = real
    tracker.on_sweep_end(
        SweepOutcome(target=2, trials=[record(0, "complete"), record(1, "complete")])
    )
    runs = runs_of(client, sweep)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert [steps_of(client, runs[number]) for number in (0, 1)] == [[1, 2, 3, 4]] * 2


def test_a_part_may_be_called_anything(client, uri, sweep):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    tracker.on_trial_start(started(0))
    tracker.on_measurement(0, measurement(1, **{"val/링 (1)/image_auroc": float("nan")}))

    assert "val/링 _1_/image_auroc" in runs_of(client, sweep)[0].data.metrics


def test_a_lost_answer_to_the_making_of_a_run_makes_no_second_one(client, uri, sweep, monkeypatch):
    from mlflow.exceptions import MlflowException

    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    make = tracker._runs._client.create_run
    asked = []

    def lost(*arguments, **options):
        asked.append(make(*arguments, **options))
        raise MlflowException("read timed out")

    with monkeypatch.context() as patch:
        patch.setattr(tracker._runs._client, "create_run", lost)
        run_trial(tracker, sweep, steps=(1, 2), end="")
    assert len(asked) == 1  # the server has made it, and the driver does not know
    monkeypatch.setattr(tracker, "_away_until", 0.0)
    run_trial(tracker, sweep, steps=(3, 4))

    experiment = client.get_experiment_by_name(sweep.name)
    found = client.search_runs([experiment.experiment_id], "tags.`bearing_search.trial` = '0'")
    assert [run.info.run_id for run in found] == [asked[0].info.run_id]
    assert (found[0].info.status, steps_of(client, found[0])) == ("FINISHED", [1, 2, 3, 4])


def test_a_run_names_what_its_score_depends_on(client, uri, sweep):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    tracker.on_trial_start(started(0, digest="2e3f", identity="0a1b"))

    tags = runs_of(client, sweep)[0].data.tags
    assert tags["bearing_search.identity"] == "0a1b"
    assert tags["bearing_search.config_digest"] == "2e3f"


def test_a_store_that_is_not_there_at_the_start_is_one_clear_error(sweep, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ResourceError, match="MLflow cannot be used at http://127"):
        MlflowTracker("http://127.0.0.1:9").on_sweep_start(sweep)
    (tmp_path / "torn.db").write_text("no database" * 500)
    with pytest.raises(ResourceError, match="MLflow cannot be used"):
        MlflowTracker(f"sqlite:///{tmp_path / 'torn.db'}").on_sweep_start(sweep)


def test_a_kill_while_the_store_was_made_leaves_nothing_that_matters(sweep, tmp_path):
    uri = default_tracking_uri(tmp_path)
    (tmp_path / ".mlflow.db.new").write_text("half a database" * 300)

    MlflowTracker(uri).on_sweep_start(sweep)

    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert database.execute("pragma journal_mode").fetchone() == ("wal",)
        assert database.execute("select count(*) from runs").fetchone() == (1,)
    assert not (tmp_path / ".mlflow.db.new").exists()
