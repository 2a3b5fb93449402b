import pytest
import yaml

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.measurement import (
    FINISHED_FOLDS,
    FOLD_OBJECTIVE,
    OBJECTIVE,
    RUNNING_OBJECTIVE,
    Measurement,
)
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.sweep.study import samplers
from bearing_search.sweep.study.samplers import check_pruner, check_sampler

SAMPLERS = [
    "tpe",
    "random",
    "nsga-ii",
    "cma-es",
    pytest.param("gp", marks=pytest.mark.slow),  # it loads torch
]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_goes_on_after_a_restart_and_draws_nothing_twice(
    new_sweep, ledger_of, fakes, sampler
):
    folder = new_sweep(sampler=sampler, target=16)
    digests = []
    for _ in range(4):
        ledger = ledger_of(folder)
        for _ in range(4):
            scheduled = ledger.next()
            digests.append(scheduled.config.digest)
            ledger.complete(scheduled.number, fakes.score_of(scheduled.config))

    assert digests[0] == folder.space().trial({}).digest
    assert len(set(digests)) == 16
    assert ledger.is_done


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_equal_seeds_draw_equal_settings_with_every_sampler(new_sweep, ledger_of, sampler):
    def drawn(name, seed):
        ledger = ledger_of(new_sweep(name=name, seed=seed, sampler=sampler, target=4))
        return [ledger.next().suggestion for _ in range(4)]

    assert drawn("a", 1) == drawn("b", 1)
    assert drawn("c", 2)[1:] != drawn("d", 1)[1:]


def space_of(vary):
    return parse_search_space(yaml.safe_dump({"base": {}, "vary": vary}), "s")


def test_a_sampler_whose_package_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setattr(samplers, "find_spec", lambda name: None)
    seeds = space_of({"seed": {"int": [0, 3]}})

    with pytest.raises(ResourceError, match=r"cma-es needs the package cmaes: pip install 'cmaes"):
        check_sampler("cma-es", seeds)
    with pytest.raises(ResourceError, match="gp needs the package torch"):
        check_sampler("gp", seeds)
    check_sampler("tpe", seeds)


def test_cma_es_is_refused_where_it_would_only_draw_at_random(monkeypatch):
    monkeypatch.setattr(samplers, "find_spec", lambda name: name)
    vary = {"seed": {"int": [0, 3]}, "finetune.ssim_window": {"choice": [5, 7, 11]}}

    with pytest.raises(ConfigError, match="at least two; the space has 1"):
        check_sampler("cma-es", space_of(vary))
    check_sampler("cma-es", space_of(vary | {"finetune.encoder_lr": {"log": [1e-6, 1e-3]}}))


def test_a_test_that_could_never_decide_is_refused():
    with pytest.raises(ConfigError, match=r"after 4 folds at the earliest, and a trial has 3"):
        check_pruner("wilcoxon", 3)
    for name, folds in (("wilcoxon", 5), ("median", 2), ("hyperband", 2), ("none", 2)):
        check_pruner(name, folds)


def fold(number, scores):
    """What a trial says after a fold, the last one with its objective."""
    finished = scores[: number + 1]
    values = {FINISHED_FOLDS: number + 1.0, FOLD_OBJECTIVE: scores[number]}
    values[RUNNING_OBJECTIVE] = sum(finished) / len(finished)
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
