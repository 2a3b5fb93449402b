"""Real MLflow on a sqlite file; the sweep around it is made by hand."""

import json
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bearing_search.config import TrialConfig
from bearing_search.errors import ResourceError
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.tracking import MlflowTracker, default_tracking_uri
from bearing_search.tracking.display import VIEW_TAG
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
    return [
        metric.step for metric in client.get_metric_history(run.info.run_id, "z_details/train/loss")
    ]


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
    assert parent.tags["mlflow.note.content"] == "# report"
    assert done.data.metrics["objective"] == 0.5
    assert done.info.run_name.startswith("000 ")
    tags = client.get_experiment_by_name(sweep.name).tags
    assert tags["mlflow.note.content"] == "# report"
    assert json.loads(tags[VIEW_TAG])["orderByKey"] == f"metrics.`{OBJECTIVE}`"


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
    real = tracker._runs.client

    class Away:
        def __getattr__(self, name):
            raise MlflowException("connection refused")

    with caplog.at_level(logging.WARNING):
        tracker._runs.client = Away()
        run_trial(tracker, sweep, 0, steps=(3,), end="")
        run_trial(tracker, sweep, 0, steps=(4,))
        run_trial(tracker, sweep, 1)
    assert caplog.text.count("does not respond; the sweep continues: connection refused") == 1

    tracker._runs.client = real
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

    assert "val/링 :28:1:29:/image_auroc" in runs_of(client, sweep)[0].data.metrics


def test_a_lost_answer_to_the_making_of_a_run_makes_no_second_one(client, uri, sweep, monkeypatch):
    from mlflow.exceptions import MlflowException

    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    make = tracker._runs.client.create_run
    asked = []

    def lost(*arguments, **options):
        asked.append(make(*arguments, **options))
        raise MlflowException("read timed out")

    with monkeypatch.context() as patch:
        patch.setattr(tracker._runs.client, "create_run", lost)
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


def test_two_parts_whose_names_mlflow_refuses_keep_their_own_metrics(client, uri, sweep):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    tracker.on_trial_start(started(0))
    tracker.on_measurement(0, measurement(1, **{"val/A+B/x": 0.25, "val/A_B/x": 0.75}))

    metrics = runs_of(client, sweep)[0].data.metrics
    assert (metrics["val/A:2b:B/x"], metrics["val/A_B/x"]) == (0.25, 0.75)


def test_long_names_and_values_lose_nothing(client, uri, sweep, tmp_path):
    long, layers = "val/" + "x" * 300, [["층"] * 3000, ["층"] * 3001]
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    for number, value in enumerate(layers):
        folder = sweep.trial_folder(number)
        folder.mkdir(parents=True)
        measured = measurement(1, **{long: 0.5, f"{long}y": 0.75, "val/y": 1.0})
        MeasurementLog(folder / MEASUREMENTS_FILE).append(measured)
        start = TrialStarted(
            number=number, config=TrialConfig(), digest="d", suggestion={"a": value, "b": "가"}
        )
        tracker.on_trial_start(start)
        tracker.on_measurement(number, measured)
        tracker.on_trial_end(TrialEnded(number=number, state="failed", reason="r" * 9000))

    runs = runs_of(client, sweep)
    first, second = runs[0].data, runs[1].data
    assert sorted(first.metrics.values()) == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert first.params["b"] == '"가"'
    assert json.loads(first.params["a"]) != json.loads(second.params["a"])
    assert len(first.tags["reason"]) == 5000

    def content_of(name):
        return json.loads(
            Path(client.download_artifacts(runs[0].info.run_id, name, tmp_path)).read_text()
        )

    assert content_of("params.json")["a"] == layers[0]
    names = content_of("names.json")
    assert {names[cut]: first.metrics[cut] for cut in names} == {long: 0.5, f"{long}y": 0.75}


def test_more_metrics_and_parameters_than_a_batch_takes(client, uri, sweep):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    many = {f"p{number}": number for number in range(150)}
    tracker.on_trial_start(
        TrialStarted(number=0, config=TrialConfig(), digest="d", suggestion=many)
    )
    tracker.on_measurement(0, measurement(1, **{f"val/{n}/x": n / 7 for n in range(1200)}))

    run = runs_of(client, sweep)[0].data
    assert run.params == {name: str(number) for name, number in many.items()}
    assert run.metrics["val/1199/x"] == 1199 / 7
    assert len(run.metrics) == 1202


def test_a_run_deleted_in_the_pages_is_restored_and_the_others_go_on(client, uri, sweep, caplog):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    run_trial(tracker, sweep, 0, steps=(1,), end="")
    run_trial(tracker, sweep, 1, steps=(1,), end="")
    deleted = runs_of(client, sweep)[0].info.run_id
    client.delete_run(deleted)

    run_trial(tracker, sweep, 0, steps=(2, 3))
    run_trial(tracker, sweep, 1, steps=(2, 3))

    runs = runs_of(client, sweep)
    assert runs[0].info.run_id == deleted
    assert [steps_of(client, runs[number]) for number in (0, 1)] == [[1, 2, 3]] * 2
    assert {runs[number].info.status for number in (0, 1)} == {"FINISHED"}
    assert caplog.text.count("the run of trial 0 was deleted from MLflow; it is restored") == 1
    assert "does not respond" not in caplog.text


def _delete_for_good(uri, run):
    from bearing_search.filesystem.database_url import sqlite_file

    with closing(sqlite3.connect(sqlite_file(uri))) as base, base:
        for table in ("latest_metrics", "metrics", "params", "tags", "runs"):
            base.execute(f"delete from {table} where run_uuid = ?", (run,))


def test_a_run_deleted_for_good_is_made_again_with_all_its_steps(client, uri, sweep, caplog):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    run_trial(tracker, sweep, 0, steps=(1, 2), end="")
    runs = runs_of(client, sweep)
    _delete_for_good(uri, runs[0].info.run_id)
    _delete_for_good(uri, runs[None].info.run_id)

    run_trial(tracker, sweep, 0, steps=(3, 4))
    tracker.on_sweep_end(SweepOutcome(target=1, trials=[record(0, "complete", value=0.5)]))

    runs = runs_of(client, sweep)
    assert steps_of(client, runs[0]) == [1, 2, 3, 4]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert "the run of trial 0 was deleted from MLflow for good" in caplog.text
    assert "the sweep's run was deleted from MLflow for good" in caplog.text


def test_an_experiment_deleted_in_mid_sweep_is_restored(client, uri, sweep, caplog):
    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    run_trial(tracker, sweep, 0, steps=(1, 2), end="")
    client.delete_experiment(client.get_experiment_by_name(sweep.name).experiment_id)

    run_trial(tracker, sweep, 1)
    run_trial(tracker, sweep, 0, steps=(3, 4))

    runs = runs_of(client, sweep)
    assert [steps_of(client, runs[number]) for number in (0, 1)] == [[1, 2, 3, 4]] * 2
    assert caplog.text.count("was deleted; it is restored") == 1


def test_a_finished_run_that_someone_deleted_stays_deleted(client, uri, sweep):
    first = MlflowTracker(uri)
    first.on_sweep_start(sweep)
    run_trial(first, sweep, 0)
    run_trial(first, sweep, 1)
    client.delete_run(runs_of(client, sweep)[0].info.run_id)

    second = MlflowTracker(uri)
    second.on_sweep_start(again(sweep, record(0, "complete"), record(1, "complete")))
    assert set(runs_of(client, sweep)) == {None, 1}

    second.mark([0], {}, {})  # it is needed again
    assert set(runs_of(client, sweep)) == {None, 0, 1}


def test_what_mlflow_refuses_of_one_trial_does_not_silence_the_others(
    client, uri, sweep, caplog, monkeypatch
):
    from mlflow.exceptions import MlflowException

    tracker = MlflowTracker(uri)
    tracker.on_sweep_start(sweep)
    real = tracker._runs.client.log_batch

    def picky(run, metrics=(), params=(), tags=()):
        if any(metric.value == 0.125 for metric in metrics):
            raise MlflowException("no eighths", 1000)  # INVALID_PARAMETER_VALUE
        real(run, metrics, params, tags)

    monkeypatch.setattr(tracker._runs.client, "log_batch", picky)
    run_trial(tracker, sweep, 0, steps=(1,), end="")
    tracker.on_measurement(0, measurement(2, val=0.125))
    tracker.on_measurement(0, measurement(3))
    run_trial(tracker, sweep, 1)

    runs = runs_of(client, sweep)
    assert steps_of(client, runs[0]) == [1, 3]
    assert steps_of(client, runs[1]) == [1, 2, 3, 4]
    assert "MLflow refused step 2 of trial 0: no eighths" in caplog.text


def _as_bytes(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


@pytest.mark.parametrize("how", ["moved", "copied"])
@pytest.mark.parametrize("name", ["r2", "r?2#%20{x}"])
def test_moved_and_copied_results_keep_their_files_and_touch_no_others(tmp_path, sweep, how, name):
    from bearing_search.tracking.store import connect

    def tracked(root, steps, *trials):
        view = SweepView(
            name=sweep.name, sweep_id="s", folder=root / sweep.name, target=2, trials=trials
        )
        tracker = MlflowTracker(default_tracking_uri(root))
        tracker.on_sweep_start(view)
        run_trial(tracker, view, 0, steps=steps)
        (view.trial_folder(0) / "artifacts" / "map.txt").write_text(f"another of {root.name}")
        tracker.on_trial_end(TrialEnded(number=0, state="complete", value=0.5))
        return view

    old, new = tmp_path / "r1", tmp_path / name
    (old / sweep.name).mkdir(parents=True)
    tracked(old, (1, 2))
    before = _as_bytes(old)
    if how == "moved":
        old.rename(new)
    else:
        shutil.copytree(old, new)

    view = tracked(new, (1, 2, 3, 4), record(0, "running"))

    if how == "copied":
        assert _as_bytes(old) == before
    assert {path.name for path in tmp_path.iterdir()} == {name, *["r1"] * (how == "copied")}
    there = connect(default_tracking_uri(new))
    run = runs_of(there, view)[0]
    assert steps_of(there, run) == [1, 2, 3, 4]
    assert artifacts_of(there, run) == {"config.json", "map.txt"}
    assert run.info.artifact_uri.startswith(new.as_uri())


def test_a_damaged_file_of_one_trial_does_not_keep_the_others_from_mlflow(
    client, uri, sweep, caplog
):
    for number in (0, 1):
        sweep.trial_folder(number).mkdir(parents=True)
        MeasurementLog(sweep.trial_folder(number) / MEASUREMENTS_FILE).append(measurement(1))
    damaged = sweep.trial_folder(0) / MEASUREMENTS_FILE
    damaged.write_text("null\n")

    MlflowTracker(uri).on_sweep_start(again(sweep, record(0, "complete"), record(1, "complete")))

    runs = runs_of(client, sweep)
    assert steps_of(client, runs[1]) == [1]
    assert runs[1].info.status == "FINISHED"
    assert f"MLflow misses what trial 0 measured: {damaged}: cannot be read" in caplog.text
