import optuna
import pytest
import yaml
from optuna.samplers import TPESampler

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.sweep.study import samplers
from bearing_search.sweep.study.param_encoding import suggest
from bearing_search.sweep.study.samplers import SAMPLERS, check_sampler, make_sampler

DRAWING = [
    name if name == "tpe" else pytest.param(name, marks=pytest.mark.slow)
    for name, spec in SAMPLERS.items()
    if not spec.is_exhaustive
]


@pytest.mark.parametrize("sampler", DRAWING)
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


@pytest.mark.parametrize("sampler", DRAWING)
def test_equal_seeds_draw_equal_settings_with_every_sampler(new_sweep, ledger_of, sampler):
    def drawn(name, seed):
        ledger = ledger_of(new_sweep(name=name, seed=seed, sampler=sampler, target=4))
        return [ledger.next().suggestion for _ in range(4)]

    assert drawn("a", 1) == drawn("b", 1)
    assert drawn("c", 2)[1:] != drawn("d", 1)[1:]


def space_of(vary):
    return parse_search_space(yaml.safe_dump({"base": {}, "vary": vary}), "s")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_tpe_draws_as_optunas_own():
    """Of equal seed and course; with parameters under conditions group by group."""
    lr = {"log": [5e-4, 4e-3]}
    dropout = {"choice": [0.1, 0.2, 0.4], "when": {"detector": "dinomaly"}}
    vary = {"detector": {"choice": ["dinomaly", "vitad"]}, "decoder.lr": lr}
    for more in ({}, {"dinomaly.dropout": dropout}):
        space = space_of(vary | more)
        ours = make_sampler("tpe", 3, space)
        assert course(space, ours) == course(space, TPESampler(seed=3, group=bool(more)))


def course(space, sampler):
    """Thirty suggestions; a high learning rate is good."""
    study = optuna.create_study(sampler=sampler, direction="maximize")
    drawn = []
    for _ in range(30):
        trial = study.ask()
        drawn.append(suggest(space, trial))
        study.tell(trial, drawn[-1]["decoder.lr"])
    return drawn


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

    with pytest.raises(ConfigError, match=r"at least 2 .* the space has 1"):
        check_sampler("cma-es", space_of(vary))
    check_sampler("cma-es", space_of(vary | {"finetune.encoder_lr": {"log": [1e-6, 1e-3]}}))
