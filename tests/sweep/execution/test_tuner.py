import pickle
import threading

import pytest

from bearing_search.errors import ResourceError
from bearing_search.sweep.driver.controller import SweepController
from bearing_search.sweep.execution.callback import PollingCallback
from bearing_search.sweep.execution.ray_health import EVERY_S, RayHealthCheck
from bearing_search.sweep.execution.tuner import _LedgerSearcher, _ReportForwarder


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
