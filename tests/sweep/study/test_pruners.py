from dataclasses import replace

import optuna
import pytest

from bearing_search.errors import ConfigError
from bearing_search.measurement import (
    FINISHED_FOLDS,
    OBJECTIVE,
    Measurement,
    fold_objective,
    running_objective,
)
from bearing_search.sweep.study.pruners import PRUNERS, check_pruner, pruner_of


def test_a_test_that_could_never_decide_is_refused():
    with pytest.raises(ConfigError, match=r"after 4 folds at the earliest, but a trial has only 3"):
        check_pruner("wilcoxon", 3)
    for name, folds in (("wilcoxon", 5), ("median", 2), ("hyperband", 2), ("none", 2)):
        check_pruner(name, folds)


def fold(number, scores):
    """What a trial says after a fold, the last one with its objective."""
    finished = scores[: number + 1]
    values = {FINISHED_FOLDS: number + 1.0, fold_objective(OBJECTIVE): scores[number]}
    values[running_objective(OBJECTIVE)] = sum(finished) / len(finished)
    if number + 1 == len(scores):
        values = {OBJECTIVE: sum(scores) / len(scores)}
    return Measurement(step=number, values=values)


def run(ledger, scores):
    """Folds that a trial runs: fewer than it has where it is pruned."""
    number = ledger.next().number
    for k in range(len(scores)):
        if ledger.report(number, fold(k, scores)):
            ledger.prune(number)
            return k + 1
    ledger.complete(number, sum(scores) / len(scores))
    return len(scores)


def test_wilcoxon_pairs_folds_with_those_of_the_best_trial(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=9, pruner="wilcoxon"))
    hard_to_easy = [0.2, 0.4, 0.6, 0.8, 0.9, 0.95]
    assert run(ledger, hard_to_easy) == 6

    a_little_worse_in_every_fold = [score - 0.01 for score in hard_to_easy]
    assert run(ledger, a_little_worse_in_every_fold) == 4  # p = 1/16
    worse_in_all_but_one = [0.19, 0.39, 0.7, 0.79, 0.89, 0.94]
    assert run(ledger, worse_in_all_but_one) == 6


@pytest.mark.slow
def test_hyperband_ends_what_is_poor_after_a_fold(new_sweep, ledger_of):
    # Optuna deals trials to brackets by the study's name, which holds the sweep's id
    ledger = ledger_of(new_sweep(target=40, pruner="hyperband", sweep_id="fixed"))
    good, poor = [0.8] * 4, [0.1] * 4
    assert run(ledger, good) == 4
    ran = [run(ledger, scores) for scores in [good, poor] * 8]

    assert set(ran[::2]) == {4}  # the good ones
    assert min(ran[1::2]) == 1
    records = ledger.records()
    assert {r.value for r in records if r.state == "pruned"} == {None}


@pytest.mark.parametrize("pruner", ["median", "hyperband", "wilcoxon"])
def test_the_base_is_never_pruned(new_sweep, ledger_of, pruner):
    ledger = ledger_of(new_sweep(target=9, pruner=pruner))
    base = ledger.next().number
    for _ in range(5):
        run(ledger, [0.8, 0.8, 0.8, 0.8, 0.8, 0.8])

    assert not any(ledger.report(base, fold(k, [0.1] * 6)) for k in range(5))


@pytest.mark.parametrize("name", PRUNERS)
def test_a_pruner_prunes_if_its_entry_says_so(name):
    """Whether any of ten trials that are bad in every fold is ended, after six good ones."""
    study = optuna.create_study(direction="maximize", pruner=pruner_of(name), study_name="fixed")
    is_ended = []
    for score in [0.9] * 6 + [0.1] * 10:
        trial = study.ask()
        for step in range(1, 6):
            trial.report(score + step / 1000, step)
        is_ended.append(bool(trial.should_prune()))
        study.tell(trial, score)
    assert any(is_ended[6:]) == PRUNERS[name].prunes


@pytest.mark.parametrize(("pairs_folds", "expected"), [(True, 0.3), (False, 0.2)])
def test_a_pruner_from_elsewhere_gets_folds_or_means_as_its_entry_says(
    new_sweep, ledger_of, monkeypatch, pairs_folds, expected
):
    monkeypatch.setitem(
        PRUNERS, "mine", replace(PRUNERS["none"], prunes=True, pairs_folds=pairs_folds, min_folds=9)
    )
    ledger = ledger_of(new_sweep(pruner="mine"))
    number = ledger.next().number
    ledger.report(number, fold(1, [0.1, 0.3, 0.5]))

    (trial,) = ledger.study.frozen_trials()
    assert trial.intermediate_values == pytest.approx({2: expected})
    with pytest.raises(ConfigError, match="mine can prune after 8 folds at the earliest"):
        check_pruner("mine", 8)


def test_a_pruner_that_nobody_has_added_is_refused(new_sweep, tmp_path):
    with pytest.raises(
        ConfigError, match="unknown pruner 'best'; choose one of none, median, hyperband"
    ):
        new_sweep(pruner="best")
    assert not (tmp_path / "one").exists()
