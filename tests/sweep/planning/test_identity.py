import json
from dataclasses import replace
from typing import Any

import pytest

from bearing_search.config import LATEST_SCHEME, ProtocolConfig, SplitConfig, TrialConfig, to_plain
from bearing_search.sweep.planning import ledger as ledger_module
from bearing_search.sweep.planning.identity import Identity
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord
from bearing_search.sweep.status import sweep_status
from bearing_search.trial_history.best import runs_of_settings
from bearing_search.trial_history.records import TrialRecord
from bearing_search.trial_history.seed_noise import seed_noise

PERIOD = "finetune.alternation_period"
NINE = f"# Which?\nbase: {{}}\nvary:\n  {PERIOD}: {{int: [1, 9]}}\n"
CONFIG = TrialConfig()
RECORD = SweepRecord(name="one", space_text="", data="/a", data_digest="d1", target=3)
OTHER_CODE = {**RECORD.stages, "scores": RECORD.stages["scores"] + 1}


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, finetune=replace(CONFIG.finetune, alternation_period=2)),
        replace(CONFIG, parts=("OD",)),
        replace(CONFIG, split=SplitConfig(folds=3)),
        replace(CONFIG, split=SplitConfig(seed=1)),
        replace(CONFIG, seed=1),
        replace(CONFIG, protocol=ProtocolConfig(fpr_limit=0.2)),
    ],
)
def test_config_folds_seed_and_protocol_are_of_the_identity(config):
    assert Identity.of(config, RECORD).digest != Identity.of(CONFIG, RECORD).digest


@pytest.mark.parametrize(
    "change",
    [
        {"data_digest": "d2"},
        {"stages": OTHER_CODE},
        {"task": "reproduction", "sampler": "grid", "objective": ""},
    ],
)
def test_data_code_and_where_it_is_scored_are_of_the_identity(change):
    other = replace(RECORD, **change)
    assert Identity.of(CONFIG, other).digest != Identity.of(CONFIG, RECORD).digest


def test_nothing_else_is():
    other = replace(
        RECORD,
        name="two",
        sweep_id="another",
        created="earlier",
        space_text="# Another question",
        space_source="elsewhere.yaml",
        data="/b",
        target=50,
        sampler="random",
        pruner="median",
        seed=7,
        folds=4,  # which the space's own configs have, too
        max_failures=0,
        storage="sqlite:////elsewhere.db",
        tracking_uri="sqlite:////mlflow.db",
        shares_stages=False,
        stops_when_converged=True,
        seeds=SeedPlan(audit=3),
        resources=Resources(gpus_per_trial=0.5, cpus_per_trial=2, concurrent=8, address="h:1"),
        protocol={"map_px": 64},  # for people; what counts is the config's own
        versions={"torch": "0"},
        git_commit="abc",
    )
    assert Identity.of(CONFIG, other) == Identity.of(CONFIG, RECORD)


def test_facts_are_the_six_and_lose_nothing_of_the_config():
    facts = Identity.of(replace(CONFIG, seed=3), RECORD).facts

    assert set(facts) == {"config", "data", "folds", "seed", "protocol", "code"}
    fields = {*facts["config"], "split", "seed", "protocol"}
    assert fields == set(to_plain(CONFIG))
    assert (facts["seed"], facts["data"], facts["code"]) == (3, "d1", dict(RECORD.stages))


def test_ledger_status_and_the_trials_folder_tell_it(new_sweep, simulate, fakes):
    folder = new_sweep(target=2)

    outcome = simulate(folder, fakes.run_trial)

    for trial in outcome.trials:
        told = json.loads((folder.trial_folder(trial.number) / "identity.json").read_text())
        assert told.pop("identity") == trial.identity
        assert Identity(told, LATEST_SCHEME).digest == trial.identity
        assert told["seed"] == trial.seed
    assert [t.identity for t in sweep_status(folder).trials] == [t.identity for t in outcome.trials]
    assert len({trial.identity for trial in outcome.trials}) == 2


@pytest.fixture
def no_redraws(monkeypatch):
    """Every repeated suggestion is told at once."""
    monkeypatch.setattr(ledger_module, "MAX_REPEATS", 0)


def finish(ledger):
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
        ledger.complete(one.number, 0.5)
    return scheduled


def test_a_suggestion_made_under_other_code_is_trained_again(
    new_sweep, ledger_of, uncounted_ledger_of, no_redraws
):
    folder = new_sweep(space_text=NINE, target=6)
    before = {one.config.digest: one.identity for one in finish(ledger_of(folder))}
    # later, after `resume --trials 12 --accept-change code`
    folder = folder.with_record(replace(folder.record, stages=OTHER_CODE, target=12))
    ledger = uncounted_ledger_of(folder)

    after = finish(ledger)

    again = [one for one in after if one.config.digest in before]
    assert again  # seven of twelve draws among nine points
    assert all(one.identity != before[one.config.digest] for one in again)
    records = ledger.records()
    assert len({record.identity for record in records if record.same_as is None}) == len(
        [record for record in records if record.same_as is None]
    )
    by_number = {record.number: record for record in records}
    for copy in records:
        if copy.same_as is not None:
            assert copy.identity == by_number[copy.same_as].identity


def test_what_is_asked_for_by_name_has_had_its_turn_under_any_code(new_sweep, ledger_of):
    folder = new_sweep(space_text=NINE, target=0, sampler="grid")
    ledger = ledger_of(folder)
    for _ in range(4):
        ledger.complete(ledger.next().number, 0.5)
    folder = folder.with_record(replace(folder.record, stages=OTHER_CODE))

    rest = finish(ledger_of(folder))

    assert len(rest) == 5  # each of the nine points once
    assert ledger_of(folder).is_done


def test_a_trial_under_way_when_the_code_changes_is_nobodys_source(
    new_sweep, ledger_of, uncounted_ledger_of, no_redraws
):
    folder = new_sweep(space_text=NINE, target=12)
    begun = ledger_of(folder).next()
    folder = folder.with_record(replace(folder.record, stages=OTHER_CODE))
    ledger = uncounted_ledger_of(folder)

    scheduled = finish(ledger)

    assert scheduled[0].number == begun.number
    assert scheduled[0].identity == begun.identity
    assert all(record.same_as != begun.number for record in ledger.records())


def test_of_a_config_trained_under_two_codes_the_later_score_counts():
    facts: dict[str, Any] = {"state": "complete", "setting": "s", "digest": "c"}
    trials = [
        TrialRecord(number=0, value=0.5, **facts),
        TrialRecord(number=1, value=0.7, **facts),
        TrialRecord(number=2, value=0.7, same_as=1, **facts),
    ]

    assert [trial.number for trial in runs_of_settings(trials)["s"]] == [1]
    assert seed_noise(trials) is None
