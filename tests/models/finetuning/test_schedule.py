import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.models.finetuning.schedule import (
    Task,
    finetune_lr_factors,
    task_at,
    warm_cosine,
)


def tasks(epochs, **settings):
    return [task_at(epoch, **settings) for epoch in range(epochs)]


def test_the_papers_schedule_turns_to_patches_at_epoch_20_and_back_at_25():
    found = tasks(35, reconstruction_only_epochs=20, alternation_period=5)

    expected = [Task.RECONSTRUCTION] * 20 + [Task.PATCH_CLASSIFICATION] * 5
    assert found == expected + [Task.RECONSTRUCTION] * 5 + [Task.PATCH_CLASSIFICATION] * 5


def test_without_a_reconstruction_phase_patch_classification_opens():
    assert tasks(3, reconstruction_only_epochs=0, alternation_period=1) == [
        Task.PATCH_CLASSIFICATION,
        Task.RECONSTRUCTION,
        Task.PATCH_CLASSIFICATION,
    ]


@given(
    only=st.integers(0, 30),
    period=st.integers(1, 12),
    turns=st.integers(1, 6),
)
def test_after_the_first_phase_two_turns_share_their_epochs_evenly(only, period, turns):
    end = only + 2 * turns * period
    found = tasks(end, reconstruction_only_epochs=only, alternation_period=period)

    assert set(found[:only]) <= {Task.RECONSTRUCTION}
    assert found[only:].count(Task.PATCH_CLASSIFICATION) == turns * period


def test_the_papers_curve_of_the_learning_rate():
    curve = [
        warm_cosine(number, total=1750, warmup=100, peak=2e-3, final=2e-4)
        for number in (0, 50, 100, 925, 1750, 9999)
    ]

    assert curve == pytest.approx([0, 1e-3, 2e-3, 1.1e-3, 2e-4, 2e-4])


@given(total=st.integers(1, 300), warmup=st.integers(0, 300))
def test_the_learning_rate_rises_then_falls_and_stays_within_its_ends(total, warmup):
    curve = [
        warm_cosine(number, total=total, warmup=warmup, peak=1.0, final=0.1)
        for number in range(total + 1)
    ]
    top = min(warmup, total)

    assert 0 <= min(curve) <= max(curve) <= 1
    assert all(np.diff(curve[:top]) > 0)
    assert all(np.diff(curve[top:]) <= 0)


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    share=st.floats(0, 0.9),
    schedule=st.sampled_from(["iterations", "epochs"]),
)
def test_the_fine_tuning_factor_rises_to_one_then_falls_and_is_never_zero(counts, share, schedule):
    epochs = [epoch for epoch, count in enumerate(counts) for _ in range(count)]
    curve = finetune_lr_factors(epochs, schedule, warmup_share=share)

    assert len(curve) == len(epochs)
    assert 0 < min(curve) <= max(curve) <= 1
    if schedule == "iterations":
        assert max(curve) == pytest.approx(1)
    top = curve.index(max(curve))
    assert all(np.diff(curve[: top + 1]) > 0)
    assert all(np.diff(curve[top:]) <= 0)


def test_iterations_follow_a_cosine_after_the_warm_up():
    found = finetune_lr_factors([0, 0, 1, 1, 1, 2], "iterations", warmup_share=1 / 3)
    cosine = [(1 + math.cos(math.pi * n / 4)) / 2 for n in range(4)]
    assert found == pytest.approx([0.5, 1.0, *cosine])


def test_epochs_count_the_same_however_many_iterations_they_have():
    long, short = [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4, [0] * 4 + [1] * 4 + [2] + [3]
    for share in (0.0, 0.25, 0.4):
        one = finetune_lr_factors(long, "epochs", warmup_share=share)
        other = finetune_lr_factors(short, "epochs", warmup_share=share)
        assert one[:9] == other[:9]  # until and with the first of epoch 2
    assert finetune_lr_factors([0, 1, 2, 3], "epochs", warmup_share=0.0) == pytest.approx(
        [(1 + math.cos(math.pi * n / 4)) / 2 for n in range(4)]
    )


def test_a_constant_rate_does_not_know_how_long_the_training_is():
    assert finetune_lr_factors([0, 0, 1], "constant", warmup_share=0.5) == [1.0, 1.0, 1.0]
    assert finetune_lr_factors([], "epochs", warmup_share=0.5) == []


def test_epochs_warm_up_in_equal_steps_whatever_their_number_of_iterations():
    # two of the four epochs: the first has two iterations, the second four
    found = finetune_lr_factors([0, 0, 1, 1, 1, 1, 2, 3], "epochs", warmup_share=0.5)
    assert found == pytest.approx([1 / 4, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1, 1, 1 / 2])


def test_turns_are_counted_from_the_end_of_the_first_phase():
    found = tasks(9, reconstruction_only_epochs=3, alternation_period=2)
    turn, other = [Task.PATCH_CLASSIFICATION] * 2, [Task.RECONSTRUCTION] * 2
    assert found == [Task.RECONSTRUCTION] * 3 + turn + other + turn


def test_without_a_warm_up_the_first_of_the_iterations_is_one_all_the_same():
    found = finetune_lr_factors([0, 0, 1, 1], "iterations", warmup_share=0.0)
    cosine = [(1 + math.cos(math.pi * n / 3)) / 2 for n in range(3)]
    assert found == pytest.approx([1.0, *cosine])
