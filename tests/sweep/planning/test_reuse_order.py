"""In which order settings that are run anyway get their turn."""

from typing import Any

import pytest
import yaml

from bearing_search.config import TrialConfig, parse
from bearing_search.stage_cache.key import STAGES_VERSION
from bearing_search.sweep.planning.config_index import ConfigIndex, TrialKey
from bearing_search.sweep.planning.reuse_order import ReuseOrder
from bearing_search.sweep.planning.shared_prefix import SharedPrefix, shared_prefix
from bearing_search.trial_history.records import TrialRecord

VARY = {
    "detector": {"choice": ["dinomaly", "vitad"]},
    "tuning": {
        "bundle": {
            "paper": {},
            "short": {"finetune.epochs": 40},
            "frozen": {"finetune.epochs": 0, "finetune.reconstruction_only_epochs": 0},
        }
    },
}
GRID = yaml.safe_dump({"base": {}, "vary": VARY}, sort_keys=False)


def test_configs_share_an_encoder_whatever_their_detector_is():
    paper, vitad = TrialConfig(), parse(TrialConfig, {"detector": "vitad"})
    other = parse(TrialConfig, {"finetune": {"epochs": 40}})
    frozen = {"finetune": {"epochs": 0, "reconstruction_only_epochs": 0}}

    assert shared_prefix(paper) == shared_prefix(vitad)
    assert not set(shared_prefix(paper)) & set(shared_prefix(other))
    assert shared_prefix(parse(TrialConfig, frozen)) == ("", "")


def test_beginnings_are_shared_where_epochs_alternate_and_not_where_iterations_do():
    by_iteration = parse(TrialConfig, {"finetune": {"schedule": "iterations"}})
    shorter = parse(TrialConfig, {"finetune": {"alternation_period": 2}})

    assert shared_prefix(by_iteration).beginning == ""
    assert shared_prefix(shorter).beginning == shared_prefix(TrialConfig()).beginning != ""
    assert shared_prefix(shorter).encoder != shared_prefix(TrialConfig()).encoder


BASE = TrialConfig()
SETTINGS: dict[str, dict[str, Any]] = {
    "same encoder": {"decoder": {"lr": 1e-3}},
    "same beginning": {"finetune": {"alternation_period": 2}},
    "nothing": {"finetune": {"encoder_lr": 1e-6}},
}


def complete(config, **changes):
    facts = {"state": "complete", "digest": config.digest, "prefix": shared_prefix(config)}
    return TrialRecord(number=0, **(facts | changes))


def in_order(config_index):
    """The settings, what waits least first; of equals the first."""
    reuse_order = ReuseOrder(config_index)
    left = {parse(TrialConfig, raw).digest: name for name, raw in SETTINGS.items()}
    reuse_order.add_configs(
        {(config := parse(TrialConfig, raw)).digest: config for raw in SETTINGS.values()}
    )
    found = []
    while left:
        found.append(left.pop(reuse_order.next_digest(reversed(left))))
    return found


def test_what_a_finished_trial_has_made_goes_before_its_beginning_and_that_before_nothing():
    assert in_order(ConfigIndex([complete(BASE)])) == ["same encoder", "same beginning", "nothing"]


def test_what_another_trial_is_making_comes_last():
    config_index = ConfigIndex([])
    config_index.begin(0, TrialKey(BASE.digest, "", shared_prefix(BASE)))
    assert in_order(config_index) == ["nothing", "same beginning", "same encoder"]


@pytest.mark.parametrize("changes", [{"state": "pruned"}, {"prefix": ()}])
def test_pruned_trials_and_those_of_older_ledgers_may_have_made_nothing(changes):
    untouched = ["nothing", "same beginning", "same encoder"]  # all alike: as they were asked
    assert in_order(ConfigIndex([complete(BASE, **changes)])) == untouched


def test_an_encoder_of_older_code_is_not_there(monkeypatch):
    config_index = ConfigIndex([complete(BASE)])
    monkeypatch.setitem(STAGES_VERSION, "encoder", 99)
    assert in_order(config_index) == ["nothing", "same beginning", "same encoder"]


def test_a_frozen_encoder_waits_for_nobody():
    frozen = parse(TrialConfig, {"finetune": {"epochs": 0, "reconstruction_only_epochs": 0}})
    assert shared_prefix(frozen) == SharedPrefix()
    reuse_order = ReuseOrder(ConfigIndex([]))
    reuse_order.add_configs({"other": BASE, "frozen": frozen})
    assert reuse_order.next_digest(["other", "frozen"]) == "frozen"


def names(scheduled):
    return [(one.suggestion["detector"][0], one.suggestion["tuning"]) for one in scheduled]


def test_one_at_a_time_those_that_share_an_encoder_follow_one_another(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(space_text=GRID, sampler="grid", target=0))
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
        ledger.complete(one.number, 0.5)

    assert names(scheduled) == [
        ("d", "paper"),
        ("d", "frozen"),  # waits for nobody
        ("v", "paper"),
        ("v", "frozen"),
        ("d", "short"),
        ("v", "short"),
    ]
    assert ledger.is_done


def test_side_by_side_they_make_different_encoders(new_sweep, ledger_of):
    folder = new_sweep(space_text=GRID, sampler="grid", target=0)
    ledger = ledger_of(folder)
    together = [ledger.next() for _ in range(4)]

    assert names(together) == [("d", "paper"), ("d", "frozen"), ("v", "frozen"), ("d", "short")]
    ledger.complete(together[3].number, 0.5)
    assert names([ledger.next()]) == [("v", "short")]
    for _ in range(4):  # and so after a kill, with those that were running first
        again = ledger_of(folder)
    assert len([again.next() for _ in range(5)]) == 5


@pytest.mark.parametrize("target", [2, 3])
def test_what_is_enqueued_beyond_the_target_does_not_get_ahead(new_sweep, ledger_of, target):
    listed = [{"tuning": "short"}, {"tuning": "short", "detector": "vitad"}, {"detector": "vitad"}]
    text = GRID + yaml.safe_dump({"enqueue": listed})
    ledger = ledger_of(new_sweep(space_text=text, target=target))
    scheduled = [ledger.next() for _ in range(target)]

    assert names(scheduled) == [("d", "paper"), ("d", "short"), ("v", "short")][:target]


def test_all_that_is_enqueued_is_run_the_encoder_that_is_there_first(new_sweep, ledger_of):
    listed = [{"tuning": "short"}, {"tuning": "short", "detector": "vitad"}, {"detector": "vitad"}]
    text = GRID + yaml.safe_dump({"enqueue": listed})
    ledger = ledger_of(new_sweep(space_text=text, target=4))
    scheduled = []
    for _ in range(4):
        scheduled.append(ledger.next())
        ledger.complete(scheduled[-1].number, 0.5)

    assert names(scheduled) == [("d", "paper"), ("v", "paper"), ("d", "short"), ("v", "short")]
    assert ledger.is_done
