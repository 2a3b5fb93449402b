"""Promises against known truth; the simulation is that of benchmarks/contracts.py, made small."""

import importlib.util
import sys
from pathlib import Path

import pytest

from bearing_search.analysis.contracts.contract import Contract, Costs
from bearing_search.analysis.contracts.views import view_rule

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
REPEATS = 120
MOST = 0.05 + 2.4 * (0.05 * 0.95 / REPEATS) ** 0.5  # by chance above it: one row in a hundred


@pytest.fixture(scope="module")
def load():
    """Loads a benchmark as a module."""
    names = []

    def load(name):
        spec = importlib.util.spec_from_file_location(f"truth_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        names.append(spec.name)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="module")
def simulation(load):
    found = load("contracts")
    found.MANY = 20_000
    return found


@pytest.mark.parametrize(
    "name",
    [
        "normal",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("outliers", "two_kinds", "ties")),
    ],
)
def test_a_miss_promise_is_broken_no_more_often_than_it_says(simulation, name):
    asked = Contract(views=view_rule("each"), max_miss=0.1, reinspect=0.05)
    found = simulation.broken(simulation.DRAWS[name], asked, 40, 60, REPEATS)
    assert found.promise <= MOST
    assert found.other <= MOST


@pytest.mark.parametrize("name", ["lognormal", pytest.param("ties", marks=pytest.mark.slow)])
def test_an_overkill_promise_is_broken_no_more_often_than_it_says(simulation, name):
    asked = Contract(views=view_rule("each"), max_overkill=0.05, reinspect=0.02)
    found = simulation.broken(simulation.DRAWS[name], asked, 93, 15, REPEATS)
    assert found.promise <= MOST
    assert found.other <= MOST


def test_the_promise_is_not_kept_by_being_far_too_careful(simulation):
    # 47 groups, one may be missed: the bound is just within the promise
    asked = Contract(views=view_rule("each"), max_miss=0.1, confidence=0.6)
    found = simulation.broken(simulation.normal, asked, 40, 40, REPEATS)
    assert 0.2 < found.promise <= 0.5


@pytest.mark.slow
def test_bounds_of_a_cheapest_threshold_hold_wherever_it_lies(simulation):
    asked = Contract(views=view_rule("each"), costs=Costs(miss=20, overkill=1, defects=0.05))
    assert simulation.broken(simulation.normal, asked, 30, 10, REPEATS).other <= MOST


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["each", "2-of-3"])
def test_groups_of_views_that_are_nearly_alike_keep_the_promise(simulation, rule):
    assert simulation.views_broken(rule, 0.9, 30, 60, 0.1).promise <= 0.12
