import os
import pickle
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import ClassVar

import pytest

from bearing_search.errors import ResourceError, SweepError
from bearing_search.sweep.driver.controller import SweepController
from bearing_search.sweep.engine import run_sweep
from bearing_search.sweep.execution.callback import PollingCallback
from bearing_search.sweep.execution.ray_health import EVERY_S, RayHealthCheck
from bearing_search.sweep.execution.tuner import _LedgerSearcher, _ReportForwarder, execute
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.resources import Node, TrialResources, plan_resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SweepRecord


class Held(SweepController, RayHealthCheck):
    """What a controller holds (a database, a terminal) cannot be pickled."""

    def __init__(self):
        self.lock = threading.Lock()

    def on_start(self, number):
        """A DriverSync, too."""

    def pull(self, number):
        """A DriverSync, too."""


@pytest.mark.parametrize(
    "make",
    [
        lambda held: PollingCallback(held, held, held),
        lambda held: _LedgerSearcher(held, held, {}, {}),
        lambda held: _ReportForwarder(held, {}, {}, 3),
    ],
    ids=["callback", "searcher", "scheduler"],
)
def test_what_tune_pickles_again_and_again_holds_nothing_of_the_sweep(make):
    assert len(pickle.dumps(make(Held()))) < 500


class FakeRay:
    """A cluster of two nodes; the driver's own is `a`."""

    def __init__(self):
        self.alive = {"a": True, "b": True}
        self.asked = 0

    def get_runtime_context(self):
        return self

    def get_node_id(self):
        return "a"

    def nodes(self):
        self.asked += 1
        return [{"NodeID": name, "Alive": alive} for name, alive in self.alive.items()]


def test_the_session_ends_when_the_drivers_own_node_has_died(monkeypatch):
    fake, clock = FakeRay(), [0.0]
    monkeypatch.setattr("bearing_search.sweep.execution.ray_health.ray", fake)
    monkeypatch.setattr(
        "bearing_search.sweep.execution.ray_health.time.monotonic", lambda: clock[0]
    )
    ray_health = RayHealthCheck()

    for _ in range(3):
        ray_health.check()
    assert fake.asked == 0
    clock[0] += EVERY_S
    ray_health.check()
    fake.alive["b"] = False  # its trials move here
    clock[0] += EVERY_S
    ray_health.check()
    fake.alive["a"] = False
    clock[0] += EVERY_S
    with pytest.raises(ResourceError, match="Ray has died on this machine"):
        ray_health.check()
    assert fake.asked == 3


class FakeTuner:
    """Records how it was configured, and runs nothing."""

    made: ClassVar[list["FakeTuner"]] = []

    def __init__(self, trainable, *, tune_config, run_config):
        self.tune_config, self.run_config = tune_config, run_config
        self.made.append(self)

    def fit(self):
        """Do nothing."""


def test_tune_restarts_a_dead_trial_as_often_as_was_asked(monkeypatch, tmp_path):
    monkeypatch.setattr("bearing_search.sweep.execution.tuner.tune.Tuner", FakeTuner)
    monkeypatch.setattr(FakeTuner, "made", [])
    monkeypatch.setattr("bearing_search.sweep.execution.ray_health.ray", FakeRay())
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "7")
    held, shares = Held(), TrialResources(cpus=1.0, gpus=0.0, concurrent=2, threads=1, starting=3)
    for most in (0, 2):
        execute(held, held, lambda _: None, shares, tmp_path / "ray", max_deaths=most)

    restarts = [made.run_config.failure_config.max_failures for made in FakeTuner.made]
    assert restarts == [0, 2]
    assert os.environ["TUNE_MAX_PENDING_TRIALS_PG"] == "3"


def test_the_reason_of_a_death_counts_the_first_process_and_every_restart(tmp_path):
    crashes: dict[str, tuple[str, str]] = {}
    forwarder = _ReportForwarder(Held(), {"a": 0}, crashes, 2)
    run = SimpleNamespace(error_filename="error.txt")
    trial = SimpleNamespace(trial_id="a", local_path=tmp_path, run_metadata=run)
    forwarder.on_trial_error(None, trial)
    assert "3 times" in crashes["a"][0]


def test_a_sweep_hands_its_number_of_restarts_to_tune(monkeypatch, tmp_path):
    @contextmanager
    def no_ray(resources, on_start):
        yield plan_resources(resources, [Node(cpus=2, gpus=0)])

    def ended(*_, max_deaths):
        raise SweepError(f"restarts: {max_deaths}")

    monkeypatch.setattr("bearing_search.sweep.engine.ray_runtime", no_ray)
    monkeypatch.setattr("bearing_search.sweep.engine.execute", ended)
    record = SweepRecord(
        name="one",
        space_text="# Which?\nbase: {}\nvary: {finetune.alternation_period: {int: [1, 10]}}\n",
        data=str(tmp_path),
        data_digest="d1",
        target=1,
        versions={},
        git_commit="",
    )
    for options, restarts in ((SessionOptions(), 3), (SessionOptions(max_failures=1), 1)):
        folder = create_sweep(tmp_path / f"most-{restarts}", record)
        with pytest.raises(SweepError, match=f"restarts: {restarts}"):
            run_sweep(folder, lambda *_: iter(()), options)
