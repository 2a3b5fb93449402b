"""Selection on simulated data whose truth is known; the same code as benchmarks/selection.py."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks/selection.py"


def large(*size):
    """A size that takes minutes, and about which the smaller ones say most."""
    return pytest.param(size, marks=pytest.mark.long)


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location("selection_simulation", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
@pytest.mark.parametrize("folds", [1, 5])
@pytest.mark.parametrize("size", [(10, 6, 0.0), (24, 12, 0.0), large(40, 20, 0.0)])
def test_on_pure_noise_an_interval_holds_the_truth_as_often_as_it_says(simulation, size, folds):
    found = simulation.coverage(size, 300, folds=folds)
    equal = simulation.coverage_of_differences(size, 300, gain=0.0, folds=folds)
    assert 0.92 <= found["pixel_aupro"] <= 0.98
    assert 0.92 <= equal["pixel_aupro"] <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("folds", [1, 5])
@pytest.mark.parametrize("size", [(20, 12, 3.0), large(40, 20, 1.6)])
def test_where_defects_are_seen_it_does_so_too(simulation, size, folds):
    found = simulation.coverage(size, 300, folds=folds)
    assert 0.92 <= found["pixel_aupro"] <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("folds", [1, 5])
@pytest.mark.parametrize("size", [(10, 6, 1.6), (24, 7, 2.0)])
def test_six_defects_promise_nothing(simulation, size, folds):
    """So few are answered with wider intervals, which hold the truth more often than they say."""
    found = simulation.coverage(size, 300, folds=folds)
    assert found["pixel_aupro"] >= 0.92
    assert found["image_auroc"] >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize("size", [(10, 6, 1.6), large(40, 20, 1.6)])
def test_the_interval_of_a_gain_holds_it(simulation, size):
    found = simulation.coverage_of_differences(size, 300)
    assert 0.92 <= found["pixel_aupro"] <= 0.98
    assert 0.92 <= found["image_auroc"] <= 0.98


@pytest.mark.slow
def test_the_percentile_bootstrap_would_not(simulation):
    assert simulation.percentile_coverage((10, 6, 3.0), 150)["pixel_aupro"] < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("size", [(10, 6, 0.0), (10, 6, 2.0), large(24, 12, 2.0)])
def test_200_equal_settings_are_called_tied_at_the_stated_rate(simulation, size):
    worse, _ = simulation.excluded(size, 200, 10)
    assert worse <= 0.09  # 5 %, and the scatter of ten data sets


@pytest.mark.slow
def test_a_better_setting_among_40_is_found_and_stays(simulation):
    worse, planted_lost = simulation.excluded((24, 12, 1.2), 40, 10, gain=2.0)
    assert planted_lost == 0
    assert worse > 0.8


def test_test_read_once_is_honest_and_the_best_on_test_is_not(simulation):
    once, naive = simulation.looks_at_test(400)
    error = once.std() / np.sqrt(len(once))
    assert abs(once.mean()) < 3 * error
    assert naive.mean() > 0.05 > 10 * error
