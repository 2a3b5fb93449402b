"""Each step of a trial is logged once; a client in memory takes the place of MLflow's store."""

from collections import defaultdict
from types import SimpleNamespace

import pytest

from bearing_search.config import TrialConfig
from bearing_search.measurement import Measurement
from bearing_search.tracking import MlflowTracker
from bearing_search.trial_history.callbacks import SweepView, TrialStarted
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, MeasurementLog

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own, of its many dependencies


class Store:
    """What MLflow's server remembers: runs, and every metric that was logged to them."""

    def __init__(self):
        self.is_away = False
        self.logged = defaultdict(list)

    def create_run(self, experiment, run_name, tags):
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def log_batch(self, run_id, metrics=(), params=(), tags=()):
        if self.is_away:
            raise OSError("connection refused")
        self.logged[run_id] += metrics

    def get_metric_history(self, run_id, name):
        return [metric for metric in self.logged[run_id] if metric.key == name]

    def get_run(self, run_id):
        return SimpleNamespace(data=SimpleNamespace(params={}))

    def update_run(self, run_id, status):
        """Runs have no status here."""

    def set_experiment_tag(self, experiment, name, text):
        """Nor have experiments tags."""

    def log_artifact(self, run_id, file):
        """Files are not kept."""


@pytest.fixture
def store(monkeypatch):
    made, runs = Store(), "bearing_search.tracking.runs"
    monkeypatch.setattr("bearing_search.tracking.tracker.connect", lambda _: made)
    monkeypatch.setattr(f"{runs}.find_experiment", lambda *_: "0")
    monkeypatch.setattr(f"{runs}.find_runs", lambda *_: iter(()))
    return made


@pytest.fixture
def tracker(store, tmp_path):
    tracker = MlflowTracker("memory")
    tracker.on_sweep_start(SweepView(name="one", sweep_id="one", folder=tmp_path, target=1))
    return tracker


@pytest.fixture
def measure(tracker, tmp_path):
    """What the controller does with a measurement: the trial's file first, then the callback."""
    folder = SweepView(name="one", sweep_id="one", folder=tmp_path, target=1).trial_folder(0)
    folder.mkdir(parents=True)
    log = MeasurementLog(folder / MEASUREMENTS_FILE)

    def report(step):
        measurement = Measurement(step=step, values={"train/loss": 1 / step})
        log.append(measurement)
        tracker.on_measurement(0, measurement)

    tracker.on_trial_start(
        TrialStarted(number=0, config=TrialConfig(), digest="d", suggestion={}, identity="i")
    )
    return report


def steps_of(store):
    return [metric.step for metric in store.get_metric_history("000", "z_details/train/loss")]


def test_a_step_that_is_reported_again_is_logged_once(store, measure):
    for step in (1, 2, 2, 1, 3):
        measure(step)
    assert steps_of(store) == [1, 2, 3]


def test_steps_missed_while_the_store_was_away_are_logged_once(
    store, tracker, measure, monkeypatch
):
    measure(1)
    store.is_away = True
    measure(2)
    measure(3)
    assert steps_of(store) == [1]
    store.is_away = False
    monkeypatch.setattr(tracker, "_away_until", 0.0)
    measure(4)
    measure(5)
    assert steps_of(store) == [1, 2, 3, 4, 5]


def test_a_step_that_the_store_took_without_answering_is_not_logged_again(
    store, tracker, measure, monkeypatch
):
    measure(1)
    take = store.log_batch

    def lost(*arguments, **options):
        take(*arguments, **options)
        raise OSError("read timed out")

    with monkeypatch.context() as patch:
        patch.setattr(store, "log_batch", lost)
        measure(2)
    monkeypatch.setattr(tracker, "_away_until", 0.0)
    measure(3)
    assert steps_of(store) == [1, 2, 3]
