"""What every entry of SAMPLERS claims is what its sampler does; no name is special but by that."""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import optuna
import pytest
import yaml

from bearing_search.errors import ConfigError, SweepError
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.sweep.folder.changes import with_space
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.study.param_encoding import suggest
from bearing_search.sweep.study.samplers import SAMPLERS, check_sampler, make_sampler


def is_slow(name):
    return SAMPLERS[name].package == "torch"


NAMES = [pytest.param(name, marks=pytest.mark.slow) if is_slow(name) else name for name in SAMPLERS]
LR, TUNING_LR, DROPOUT = "decoder.lr", "finetune.encoder_lr", "dinomaly.dropout"
PLAIN = {LR: {"float": [0.001, 1.0]}, TUNING_LR: {"float": [0.001, 1.0]}}
DETECTOR = {"detector": {"choice": ["dinomaly", "vitad"]}}
BRANCH = {DROPOUT: {"float": [0.0, 0.9], "when": {"detector": "dinomaly"}}}
BASE = {
    "decoder": {"lr": 0.5, "final_lr": 0.0},
    "finetune": {"encoder_lr": 0.5},
    "dinomaly": {"dropout": 0.4},
}
CLAIMS = ("multi_objective", "constraints", "conditional")
ASKING = {
    "multi_objective": "objectives: [val/pixel_aupro: max, cost/seconds: min]\n",
    "constraints": "constraints: [cost/seconds <= 4]\n",
}


def space_of(vary, more=""):
    return parse_search_space(yaml.safe_dump({"base": BASE, "vary": vary}) + more, "s")


def course(name, space, score, *, trials, second=None, missed=None):
    """Suggestions of a sampler that is told scores of them."""
    directions: list[Any] = ["maximize"] if second is None else ["maximize", "maximize"]
    study = optuna.create_study(directions=directions, sampler=make_sampler(name, 5, space))
    drawn = []
    for _ in range(trials):
        trial = study.ask()
        drawn.append(suggest(space, trial))
        if missed is not None:
            trial.set_constraint("c", missed(drawn[-1]))
        study.tell(trial, [score(drawn[-1])] + ([] if second is None else [second(drawn[-1])]))
    return drawn


def two_courses(name, what):
    """Draws that are told opposite things, of the second objective or of the constraint."""
    scores = {"score": lambda drawn: drawn[LR], "trials": 14 if is_slow(name) else 40}
    asked = {"multi_objective": "second", "constraints": "missed"}[what]
    told = [lambda drawn: drawn[TUNING_LR] - 0.5, lambda drawn: 0.5 - drawn[TUNING_LR]]
    return [course(name, space_of(PLAIN), **scores, **{asked: one}) for one in told]


def reach(name, sign):
    """Mean of a parameter with a condition in late draws, where high is good, or low."""
    space = space_of(PLAIN | DETECTOR | BRANCH)

    def score(drawn):
        return sign * (drawn.get(DROPOUT, 0.45) - 0.45)

    trials = 30 if is_slow(name) else 80
    late = course(name, space, score, trials=trials)[trials // 2 :]
    found = [drawn[DROPOUT] for drawn in late if DROPOUT in drawn]
    return sum(found) / len(found)


@cache
def observed(name, what):
    """What a sampler does, in the words of its entry."""
    try:
        if what == "conditional":
            return "used" if reach(name, 1) - reach(name, -1) > 0.3 else "ignored"
        one, other = two_courses(name, what)
    except (ValueError, UserWarning):
        return "refused"  # Optuna itself says that it cannot
    return "ignored" if one == other else "used"


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", CLAIMS)
def test_every_entry_does_what_it_claims(name, what):
    assert getattr(SAMPLERS[name], what) == observed(name, what)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("what", CLAIMS)
@pytest.mark.parametrize("claim", ["used", "ignored", "refused"])
def test_a_space_is_refused_where_the_entry_says_so_and_nowhere_else(
    monkeypatch, name, what, claim
):
    monkeypatch.setitem(SAMPLERS, name, replace(SAMPLERS[name], **NOTHING | {what: claim}))
    vary = PLAIN | (DETECTOR | BRANCH if what == "conditional" else {})
    space = space_of(vary, ASKING.get(what, ""))
    if claim == "refused":
        with pytest.raises(ConfigError, match=f"the sampler {name} does not support; use one of"):
            check_sampler(name, space)
    else:
        check_sampler(name, space)


NOTHING = {**dict.fromkeys(CLAIMS, "refused"), "package": ""}


def test_the_table_needs_no_optuna_before_a_sampler_is_built():
    """So that the command line can name samplers without it."""
    code = (
        "import sys; from bearing_search.sweep.study import pruners, samplers; "
        "print('optuna' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


DESIGN = yaml.safe_dump({"base": {}, "vary": {"finetune.alternation_period": {"int": [3, 6]}}})


def test_whoever_is_exhaustive_runs_every_point_whatever_its_name(
    new_sweep, ledger_of, monkeypatch
):
    monkeypatch.setitem(SAMPLERS, "all", SAMPLERS["grid"])
    folder = new_sweep(space_text=DESIGN, sampler="all", target=0)
    assert folder.record.target == 4
    ledger = ledger_of(folder)
    run = []
    while (scheduled := ledger.next()) is not None:
        run.append(scheduled.config.finetune.alternation_period)
        ledger.complete(scheduled.number, 0.5)
    assert sorted(run) == [3, 4, 5, 6]
    assert ledger.is_done

    wider = parse_search_space(DESIGN.replace("6", "7"), "s")
    with pytest.raises(SweepError, match="a grid runs every point of its space"):
        with_space(folder, wider, "s", accepted=["space"])
    with pytest.raises(ConfigError, match="a grid runs every point, so it cannot use"):
        new_sweep(name="two", space_text=DESIGN, sampler="all", stops_when_converged=True)
    assert new_sweep(
        name="three", space_text=DESIGN, sampler="all", target=0, task="reproduction", objective=""
    )


def test_a_sampler_that_nobody_has_added_is_refused_when_the_sweep_is_made_and_resumed(
    new_sweep, ledger_of, monkeypatch, tmp_path
):
    with pytest.raises(
        ConfigError, match=f"unknown sampler 'mine'; choose one of {', '.join(SAMPLERS)}"
    ):
        new_sweep(sampler="mine")
    assert not (tmp_path / "one").exists()

    with monkeypatch.context() as added:
        added.setitem(SAMPLERS, "mine", SAMPLERS["random"])
        folder = new_sweep(sampler="mine")
    assert load_sweep(tmp_path, "one").record.sampler == "mine"  # to be read by whoever asks
    with pytest.raises(ConfigError, match="import the module that adds it to SAMPLERS"):
        folder.updated(SessionOptions(target=4))
    with pytest.raises(ConfigError, match="unknown sampler 'mine'"):
        ledger_of(folder)
