"""The base under other seeds (audit), and the best settings under other seeds (finalists)."""

import json

import pytest

from bearing_search.errors import ConfigError
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord
from bearing_search.trial_history.best import best_of

LUCK = {0: 0.0, 1: -0.02, 2: 0.01, 3: 0.03}


def score_of(config):
    return 1 / config.finetune.alternation_period + LUCK[config.seed]


def by_luck(config, context):
    yield Measurement(step=1, values={OBJECTIVE: score_of(config)})


def finish(ledger):
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
        ledger.complete(one.number, score_of(one.config))
    return scheduled


def test_an_audit_runs_the_base_under_other_seeds_before_the_search(new_sweep, ledger_of):
    folder = new_sweep(target=3, seeds=SeedPlan(audit=4))
    ledger = ledger_of(folder)

    scheduled = finish(ledger)

    base = folder.space().trial({})
    assert [one.config.seed for one in scheduled] == [0, 1, 2, 3, 0, 0]
    assert [one.purpose for one in scheduled] == ["default", *["audit"] * 3, "search", "search"]
    assert {one.config.setting for one in scheduled[:4]} == {base.setting}
    records = ledger.records()
    assert [record.seed for record in records] == [0, 1, 2, 3, 0, 0]
    assert sum(record.counts for record in records) == 3  # an audit fills no place
    assert ledger.is_done


@pytest.mark.slow
def test_the_sampler_draws_as_if_there_were_no_audit(new_sweep, ledger_of):
    def drawn(name, audit):
        folder = new_sweep(name=name, target=14, seeds=SeedPlan(audit=audit))
        return [one.suggestion for one in finish(ledger_of(folder)) if one.purpose == "search"]

    assert drawn("plain", 0) == drawn("audited", 4)


def test_finalists_are_the_best_settings_under_further_seeds(new_sweep, ledger_of):
    folder = new_sweep(target=6, seeds=SeedPlan(finalists=2, each=3))
    ledger = ledger_of(folder)

    scheduled = finish(ledger)

    drawn, finals = scheduled[:6], scheduled[6:]
    best = sorted(drawn, key=lambda one: -score_of(one.config))
    settings = list(dict.fromkeys(one.config.setting for one in best))[:2]
    assert {one.purpose for one in finals} == {"finalist"}
    assert [(one.config.setting, one.config.seed) for one in finals] == [
        (setting, seed) for seed in (1, 2) for setting in settings
    ]
    assert ledger.is_done
    assert len(ledger.records()) == 10


def test_finalists_wait_until_the_last_trial_of_the_search_has_ended(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=2, seeds=SeedPlan(finalists=1, each=2)))
    first, second = ledger.next(), ledger.next()
    ledger.complete(first.number, 0.5)

    assert ledger.next() is None
    assert not ledger.is_done
    ledger.complete(second.number, 0.6)
    final = ledger.next()
    assert (final.purpose, final.config.setting) == ("finalist", second.config.setting)


@pytest.mark.slow
def test_every_seed_runs_once_whenever_the_driver_dies(new_sweep, ledger_of):
    folder = new_sweep(target=3, seeds=SeedPlan(audit=3, finalists=2, each=3))
    done = []
    for _ in range(40):
        ledger = ledger_of(folder)
        if ledger.next() is None:
            break
        ledger = ledger_of(folder)  # killed while it ran
        again = ledger.next()
        done.append((again.config.setting, again.config.seed))
        ledger.complete(again.number, score_of(again.config))

    assert ledger.is_done
    assert len(set(done)) == len(done)
    # a finalist that is the base has its seeds from the audit already
    assert len(done) in (3 + 2 + 4, 3 + 2 + 2)
    assert [record.state for record in ledger.records()] == ["complete"] * len(done)


def test_finalists_can_be_asked_for_when_a_sweep_is_finished(new_sweep, simulate):
    folder = new_sweep(target=3)
    assert len(simulate(folder, by_luck).trials) == 3

    folder = folder.updated(SessionOptions(target=3, seeds=SeedPlan(finalists=1, each=3)))
    outcome = simulate(folder, by_luck)

    assert [trial.purpose for trial in outcome.trials[3:]] == ["finalist"] * 2
    assert outcome.is_done
    assert best_of(outcome.trials).setting == outcome.trials[3].setting


def test_an_audit_run_that_fails_is_tried_twice_and_then_left(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=1, seeds=SeedPlan(audit=2)))
    ledger.complete(ledger.next().number, 0.5)
    for _ in range(2):
        scheduled = ledger.next()
        assert scheduled.purpose == "audit"
        ledger.fail(scheduled.number, "no circle", "trace")

    assert ledger.next() is None
    assert ledger.is_done


def test_the_spread_is_kept_in_the_sweeps_folder(new_sweep, simulate):
    folder = new_sweep(target=1, seeds=SeedPlan(audit=4))

    simulate(folder, by_luck)

    kept = json.loads((folder.root / "seed_noise.json").read_text())
    assert (kept["settings"], kept["runs"]) == (1, 4)
    assert kept["deviation"] == pytest.approx(0.0208167, abs=1e-6)


def test_a_search_has_no_spread_without_second_seeds(new_sweep, simulate):
    folder = new_sweep(target=2)
    simulate(folder, by_luck)

    assert not (folder.root / "seed_noise.json").exists()


def test_luck_in_the_audit_does_not_make_the_base_win(new_sweep, simulate):
    outcome = simulate(new_sweep(target=1, seeds=SeedPlan(audit=4)), by_luck)

    assert max(trial.value for trial in outcome.trials) == pytest.approx(0.23)
    assert best_of(outcome.trials).number == 0


def test_a_seed_cannot_be_varied_and_audited(new_sweep, fakes):
    seeds = "base: {}\nvary:\n  seed: {int: [0, 9]}\n"
    with pytest.raises(ConfigError, match="the space varies seed"):
        new_sweep(space_text=seeds, seeds=SeedPlan(audit=3))
    folder = new_sweep(space_text=seeds)
    with pytest.raises(ConfigError, match="the space varies seed"):
        folder.updated(SessionOptions(target=3, seeds=SeedPlan(finalists=1)))


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [({"audit": -1}, "at least 0"), ({"finalists": -2}, "at least 0"), ({"each": 1}, "seeds is 1")],
)
def test_a_plan_that_makes_no_sense_is_refused(plan, complaint):
    with pytest.raises(ConfigError, match=complaint):
        SeedPlan(**plan)


def test_a_reproduction_has_no_audit(fakes):
    with pytest.raises(ConfigError, match="no audit or finalists"):
        SweepRecord(
            name="r",
            space_text=fakes.SPACE,
            data="/d",
            data_digest="d",
            task="reproduction",
            sampler="grid",
            seeds=SeedPlan(audit=2),
        )
