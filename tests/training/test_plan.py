from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bearing_search.config import DecoderConfig, FinetuneConfig, TrialConfig
from bearing_search.models.finetuning.schedule import Task
from bearing_search.training.plan import (
    SEEN_IN_THE_PLAN,
    digests_by_epoch,
    finetune_plan,
    fold_progress,
    log_iterations,
    trial_progress,
)

SMALL = FinetuneConfig(epochs=7, reconstruction_only_epochs=2, alternation_period=2, batch_size=4)


def test_normals_feed_reconstruction_and_anomalous_samples_the_patch_task():
    plan = finetune_plan(SMALL, num_normal=10, num_anomalous=3, seed=0)

    epochs = {step.epoch: step.task for step in plan}
    assert [epochs[e] for e in range(7)] == [
        Task.RECONSTRUCTION,
        Task.RECONSTRUCTION,
        Task.PATCH_CLASSIFICATION,
        Task.PATCH_CLASSIFICATION,
        Task.RECONSTRUCTION,
        Task.RECONSTRUCTION,
        Task.PATCH_CLASSIFICATION,
    ]
    sizes = [[len(s.batch) for s in plan if s.epoch == e] for e in (0, 2)]
    assert sizes == [[4, 4, 2], [3]]  # few anomalies: a batch smaller than asked for, not none
    assert sum(step.ends_epoch for step in plan) == 7


def test_the_plan_tells_every_setting_that_keys_leave_to_it():
    other: dict[str, Any] = {
        "epochs": 6,
        "reconstruction_only_epochs": 1,
        "alternation_period": 3,
        "schedule": "iterations",
        "warmup_share": 0.5,
    }
    base = digests_by_epoch(finetune_plan(SMALL, num_normal=10, num_anomalous=3, seed=0))

    assert other.keys() == SEEN_IN_THE_PLAN
    for name, value in other.items():
        changed = replace(SMALL, **{name: value})
        plan = finetune_plan(changed, num_normal=10, num_anomalous=3, seed=0)
        assert digests_by_epoch(plan) != base, name


@given(st.integers(1, 400))
def test_rows_end_with_the_last_iteration_and_never_twice_at_once(iterations):
    ends = log_iterations(iterations)
    assert ends[-1] == iterations
    assert all(b > a for a, b in pairwise(ends))


def test_progress_rises_to_one_over_all_units():
    config = TrialConfig(finetune=SMALL, decoder=DecoderConfig(iterations=30))
    fold = fold_progress(config, num_normal=10, num_anomalous=3)
    shares = trial_progress([fold, fold])

    assert len(fold) == 7 + 25 + 1
    assert shares == sorted(shares)
    assert shares[len(fold) - 1] == 0.5
    assert shares[-1] == 1.0
