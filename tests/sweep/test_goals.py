"""A sweep with several objectives, and with constraints."""

import optuna
import pytest
from optuna.study import StudyDirection

from bearing_search.errors import ConfigError, SweepError
from bearing_search.measurement import COST_S, Measurement
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.record.sweep_record import SeedPlan
from bearing_search.sweep.status import sweep_status
from bearing_search.sweep.study.trial_records import read_records
from bearing_search.sweep.warm_start import prior_trials
from bearing_search.trial_history.best import best_of

TWO = "objectives: [val/pixel_aupro: max, cost/seconds: min]\n"
CHEAP = "constraints: [cost/seconds <= 4]\n"
NEVER = "constraints: [val/image_auroc >= .9]\n"
PERIOD = "finetune.alternation_period"


def measured(config):
    """As the fake trial's last measurement: cheap where the score is high."""
    return {COST_S: float(config.finetune.alternation_period), "val/image_auroc": 0.5}


@pytest.mark.parametrize(
    "sampler",
    ["tpe", *(pytest.param(name, marks=pytest.mark.slow) for name in ("random", "nsga-ii", "gp"))],
)
def test_every_sampler_is_told_all_objectives_and_goes_on_after_a_restart(
    new_sweep, ledger_of, fakes, sampler
):
    folder = new_sweep(space_text=fakes.SPACE + TWO + CHEAP, sampler=sampler, target=14)
    for _ in range(2):
        ledger = ledger_of(folder)
        for _ in range(7):
            scheduled = ledger.next()
            ledger.complete(
                scheduled.number, fakes.score_of(scheduled.config), measured(scheduled.config)
            )
        killed = ledger.next()

    assert killed is None
    assert ledger.is_done
    study = optuna.load_study(study_name=folder.study_name, storage=folder.storage_url)
    assert study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    for trial in study.get_trials():
        period = trial.params[PERIOD]
        assert trial.values[1] == period
        assert trial.constraints == {"cost/seconds <= 4": (period - 4) / 4}


def test_two_objectives_are_in_ledger_and_status(new_sweep, simulate, fakes):
    folder = new_sweep(space_text=fakes.SPACE + TWO, target=4)

    outcome = simulate(folder, fakes.run_trial)

    for trial in outcome.trials:
        assert trial.judged.scores == {COST_S: trial.suggestion[PERIOD]}
        assert trial.judged.is_feasible
    status = sweep_status(folder)
    assert [t.judged for t in status.trials] == [t.judged for t in outcome.trials]
    assert status.best.value == max(t.value for t in status.trials)


def test_what_misses_a_constraint_is_complete_and_marked_and_never_the_best(
    new_sweep, simulate, observed, fakes
):
    listed = f"enqueue: [{{{PERIOD}: 1, finetune.ssim_layers: [12]}}, {{{PERIOD}: 9}}]\n"
    limit = "constraints: [cost/seconds <= 8, val/pixel_aupro >= .3]\n"
    folder = new_sweep(space_text=fakes.SPACE + limit + listed, target=3)

    outcome = simulate(folder, fakes.run_trial, [observed])

    default, slow, quick = outcome.trials  # the slow one shares its beginning with the default
    assert [trial.state for trial in outcome.trials] == ["complete"] * 3
    assert [trial.judged.is_feasible for trial in outcome.trials] == [False, False, True]
    assert default.reason == "misses val/pixel_aupro >= 0.3"
    assert slow.reason == "misses cost/seconds <= 8 and val/pixel_aupro >= 0.3"
    assert best_of(outcome.trials) == quick
    assert [end[3] for end in observed.of("end")] == [default.reason, slow.reason, ""]


def test_where_none_keeps_the_constraints_there_is_no_best(new_sweep, simulate, fakes):
    folder = new_sweep(
        space_text=fakes.SPACE + NEVER, target=3, seeds=SeedPlan(audit=2, finalists=2)
    )

    outcome = simulate(folder, fakes.run_trial)

    assert outcome.is_done
    assert best_of(outcome.trials) is None
    assert sweep_status(folder).best is None
    assert not any(trial.purpose == "finalist" for trial in outcome.trials)


def test_finalists_are_the_best_of_those_that_keep_the_constraints(new_sweep, simulate, fakes):
    listed = f"enqueue: [{{{PERIOD}: 1}}, {{{PERIOD}: 4}}]\n"
    folder = new_sweep(
        space_text=fakes.SPACE + "constraints: [val/pixel_aupro >= .1]\n" + TWO + listed,
        target=3,
        seeds=SeedPlan(finalists=1, each=2),
    )

    outcome = simulate(folder, fakes.run_trial)

    finalists = [trial for trial in outcome.trials if trial.purpose == "finalist"]
    assert [trial.suggestion[PERIOD] for trial in finalists] == [1]
    assert best_of(outcome.trials).suggestion[PERIOD] == 1


def test_a_trial_without_a_metric_that_is_asked_for_has_failed(new_sweep, simulate, fakes):
    def lacking(config, context):
        for measurement in fakes.run_trial(config, context):
            values = {k: v for k, v in measurement.values.items() if k != COST_S}
            yield Measurement(step=measurement.step, values=values)

    folder = new_sweep(space_text=fakes.SPACE + CHEAP, target=2)
    with pytest.raises(SweepError, match="cost/seconds is not a number"):
        simulate(folder, lacking)


@pytest.mark.parametrize(
    ("text", "changes", "complaint"),
    [
        (TWO, {"pruner": "median"}, "has 2 objectives, and pruners support"),
        (
            TWO,
            {"sampler": "cma-es"},
            "2 objectives, which the sampler cma-es does not support; use one of tpe, gp",
        ),
        (
            CHEAP,
            {"sampler": "cma-es"},
            "constraints, which the sampler cma-es does not support; use one of tpe, gp",
        ),
    ],
)
def test_who_cannot_serve_the_goals_is_refused_before_anything_is_written(
    new_sweep, fakes, tmp_path, text, changes, complaint
):
    with pytest.raises(ConfigError, match=complaint) as error:
        new_sweep(space_text=fakes.SPACE + text, **changes)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "one").exists()


def test_one_objective_with_constraints_may_be_pruned(new_sweep, fakes):
    assert new_sweep(space_text=fakes.SPACE + CHEAP, pruner="median").record.pruner == "median"


def test_a_kill_between_constraint_and_tell_is_told_once(new_sweep, ledger_of, fakes):
    folder = new_sweep(space_text=fakes.SPACE + CHEAP, target=1)
    ledger = ledger_of(folder)
    scheduled = ledger.next()
    (trial,) = ledger.study.running()
    trial.set_constraint("cost/seconds <= 4", 0.25)  # then it is killed

    again = ledger_of(folder)
    assert again.next() == scheduled
    again.complete(scheduled.number, 0.5, measured(scheduled.config))

    (record,) = read_records(folder.storage_url, folder.study_name)
    assert record.judged.missed == {"cost/seconds <= 4": 0.25}
    assert record.value == 0.5


def test_a_copy_has_its_sources_objectives_and_constraints(new_sweep, ledger_of):
    text = "base: {}\nvary: {finetune.alternation_period: {int: [5, 6]}}\n" + TWO + CHEAP
    ledger = ledger_of(new_sweep(space_text=text, target=2, sampler="random"))
    first = ledger.next()
    ledger.complete(first.number, 0.5, measured(first.config))
    trial = ledger.study.ask()

    ledger.study.copy(trial, ledger.records()[0])

    copy = ledger.records()[-1]
    assert (copy.value, copy.judged) == (0.5, ledger.records()[0].judged)
    assert copy.reason == "same as trial 0, which misses cost/seconds <= 4"


def test_a_warm_start_judges_earlier_trials_by_the_new_goals(new_sweep, simulate, ledger_of, fakes):
    first = new_sweep(name="first", target=4)
    simulate(first, fakes.run_trial)
    second = new_sweep(name="second", space_text=fakes.SPACE + TWO + CHEAP, target=4)

    points = prior_trials(first, second.record, second.space())
    warm = new_sweep(name="third", space_text=fakes.SPACE + TWO + CHEAP, target=2, known=points)
    simulate(warm, fakes.run_trial)

    study = optuna.load_study(study_name=warm.study_name, storage=warm.storage_url)
    known = [trial for trial in study.get_trials() if "known" in trial.user_attrs]
    assert len(known) == 4
    for trial in known:
        assert trial.values[1] == trial.params[PERIOD]
        assert trial.constraints == {"cost/seconds <= 4": (trial.params[PERIOD] - 4) / 4}
    (first.trial_folder(2) / "measurements.jsonl").unlink()
    with pytest.raises(SweepError, match="trial 2 has no cost/seconds"):
        prior_trials(first, second.record, second.space())


def test_the_goals_are_those_of_sweep_json(new_sweep, tmp_path, fakes):
    new_sweep(space_text=fakes.SPACE + TWO + CHEAP)

    objective_spec = load_sweep(tmp_path, "one").space().objective_spec

    assert [str(one) for one in objective_spec.objectives] == [
        "val/pixel_aupro (max)",
        "cost/seconds (min)",
    ]
    facts = load_sweep(tmp_path, "one").view([]).facts
    assert facts["objectives"] == "val/pixel_aupro (max), cost/seconds (min)"
    assert facts["constraints"] == "cost/seconds <= 4"
