"""When more trials cannot pay, and what a sweep says of its end."""

import json

import pytest

from bearing_search.cli import main
from bearing_search.errors import ConfigError
from bearing_search.search_space.objectives import ObjectiveValues
from bearing_search.sweep.planning.stagnation import PATIENCE, StagnationTerminator
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan
from bearing_search.sweep.status import sweep_status
from bearing_search.trial_history.records import TrialRecord

DEFAULT = TrialRecord(number=0, state="complete", purpose="default", setting="base", value=0.5)


def trial(value, **facts):
    return TrialRecord(number=1, **({"state": "complete", "setting": "x", "value": value} | facts))


def audit(value):
    return trial(value, purpose="audit", setting="base")


def stagnation(*trials, may_converge=True):
    return StagnationTerminator(trials, may_converge=may_converge)


def test_a_search_converges_when_its_last_trials_have_not_raised_the_best():
    flat = [trial(0.4)] * (PATIENCE - 1)

    assert stagnation(DEFAULT, *flat).converged == ""
    assert (
        "did not raise the best score (0.5000)" in stagnation(DEFAULT, *flat, trial(0.5)).converged
    )
    assert stagnation(DEFAULT, *flat, trial(0.51)).converged == ""
    assert stagnation(DEFAULT, *flat, trial(0.4), may_converge=False).converged == ""


def test_it_has_not_until_so_many_trials_have_finished_after_the_last_rise():
    watched = stagnation(DEFAULT, *[trial(0.4)] * 7, trial(0.6))
    for number in range(PATIENCE):
        assert watched.converged == "", number
        watched.add(trial(0.3))
    assert watched.converged
    watched.add(trial(0.9))  # was running when the others had their end
    assert watched.converged == ""


def test_a_rise_within_the_noise_of_the_seeds_is_none():
    # s = .01 of three seeds: t = 4.303 for two degrees of freedom, so .0608 is the smallest gain
    seeds = [DEFAULT, audit(0.49), audit(0.51)]
    flat = [trial(0.4)] * (PATIENCE - 1)

    said = stagnation(*seeds, *flat, trial(0.56)).converged
    assert "raised the best score by 0.0600; gains below 0.0608 are within seed noise" in said
    assert stagnation(*seeds, *flat, trial(0.57)).converged == ""
    # two seeds that lie apart say nothing: every rise counts
    unclear = [DEFAULT, audit(0.6)]
    assert stagnation(*unclear, *flat, trial(0.51)).converged == ""


def test_pruned_trials_and_copies_count_failed_ones_and_other_seeds_do_not():
    pruned = [trial(None, state="pruned")] * (PATIENCE - 1)

    assert stagnation(DEFAULT, *pruned, trial(None, state="failed")).converged == ""
    assert stagnation(DEFAULT, *pruned, trial(0.9, purpose="finalist")).converged == ""
    assert stagnation(DEFAULT, *pruned, trial(0.5, same_as=0)).converged


def test_where_no_trial_keeps_the_constraints_a_search_goes_on():
    missing = trial(0.9, judged=ObjectiveValues(missed={"cost/seconds <= 9": 0.1}))
    kept = trial(0.2, judged=ObjectiveValues(missed={"cost/seconds <= 9": -0.1}))

    assert stagnation(*[missing] * 99).converged == ""
    assert stagnation(*[missing] * 99, kept).converged == ""
    assert stagnation(kept, *[missing] * PATIENCE).converged


@pytest.mark.slow
def test_a_sweep_that_converged_says_so_and_goes_on_when_asked(
    new_sweep, ledger_of, simulate, fakes, capsys, tmp_path
):
    best = "enqueue: [{finetune.alternation_period: 1, finetune.ssim_layers: [9, 10, 11, 12]}]\n"
    folder = new_sweep(
        space_text=fakes.SPACE + best,
        target=99,
        sampler="random",
        stops_when_converged=True,
        seeds=SeedPlan(finalists=1, each=2),
    )

    outcome = simulate(folder, fakes.run_trial)

    assert outcome.is_done
    assert sum(trial.counts for trial in outcome.trials) == 2 + PATIENCE
    assert [trial.purpose for trial in outcome.trials][-1] == "finalist"
    expected = f"done after {2 + PATIENCE} of 99 trials: converged: the last {PATIENCE} trials"
    assert outcome.shortfall.startswith(expected)
    assert sweep_status(folder).ended == outcome.shortfall
    assert main(["status", "one", "--results", str(tmp_path)]) == 0
    assert expected in capsys.readouterr().out
    assert ledger_of(folder).is_done
    asked = folder.updated(SessionOptions(target=99, stops_when_converged=False))
    assert not ledger_of(asked).is_done


def test_a_point_of_a_grid_that_always_fails_ends_it_below_its_target(
    new_sweep, ledger_of, simulate, fakes, capsys, tmp_path
):
    def failing(config, context):
        if config.finetune.alternation_period == 6:
            raise ValueError("no circle")
        yield from fakes.run_trial(config, context)

    text = "base: {}\nvary: {finetune.alternation_period: {choice: [5, 6, 7]}}\n"
    folder = new_sweep(space_text=text, sampler="grid", target=0)

    simulate(folder, failing)

    assert main(["status", "one", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "one: 2 of 3 trials, 2 failed" in said
    assert "done after 2 of 3 trials (2 failed): nothing is left to try" in said


def test_how_a_session_ended_is_forgotten_when_the_next_begins(new_sweep, simulate, fakes):
    folder = new_sweep(target=2)

    def stop(number, message, stopped):
        stopped.request("signal")

    simulate(folder, fakes.run_trial, on_message=stop)
    assert sweep_status(folder).ended == "stopped by signal"
    simulate(folder, fakes.run_trial)
    assert sweep_status(folder).ended == ""
    assert json.loads((folder.root / "end.json").read_text()) == {"why": ""}


@pytest.mark.parametrize(
    ("text", "sampler"),
    [("objectives: [val/pixel_aupro: max, cost/seconds: min]\n", "tpe"), ("", "grid")],
)
def test_what_cannot_converge_is_refused(new_sweep, text, sampler):
    space = "base: {}\nvary: {finetune.alternation_period: {choice: [5, 6, 7]}}\n" + text
    with pytest.raises(ConfigError, match="cannot use --stop-when-converged"):
        new_sweep(space_text=space, sampler=sampler, target=3, stops_when_converged=True)
