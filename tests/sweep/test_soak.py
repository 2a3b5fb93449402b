"""Exactly once, whatever dies: a short soak; `benchmarks/soak.py` is the long one."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader"),  # MLflow's own use of SQLAlchemy
]


@pytest.fixture
def soak_module(monkeypatch):
    spec = importlib.util.spec_from_file_location("soak", Path(__file__).with_name("soak.py"))
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "soak", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["draw", "log"])
def test_kills_inside_a_draw_and_between_tell_and_log_lose_nothing(tmp_path, soak_module, kind):
    soak = soak_module.Soak(tmp_path, seed=0, trials=6, kinds=[kind])

    tally = soak.run(kills=2)

    print(tally)
    assert tally.kills == {kind: 2}
    assert tally.problems(soak.trials) == []


def test_a_kill_of_every_kind_loses_nothing_and_repeats_nothing(tmp_path, soak_module):
    soak = soak_module.Soak(tmp_path, seed=0, trials=16)

    tally = soak.run(kills=len(soak_module.KINDS))

    print(tally)
    assert set(tally.kills) == set(soak_module.KINDS)
    assert tally.problems(soak.trials) == []


def test_the_tally_tells_what_was_lost_or_done_twice(soak_module):
    tally = soak_module.Tally(seed=0)
    assert len(tally.problems(2)) == 5
    tally.states["complete"] = tally.configs = 2
    tally.trained = 16
    tally.runs["FINISHED"] = 3
    tally.runs_of_a_trial = 1
    assert tally.problems(2) == []
    tally.repeated = 1
    assert tally.problems(2) == ["repeated: 1"]
