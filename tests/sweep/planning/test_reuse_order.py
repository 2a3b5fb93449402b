"""In which order settings that are run anyway get their turn."""

import pytest
import yaml

from bearing_search.config import TrialConfig, parse
from bearing_search.sweep.planning.shared_prefix import ENCODER_SECTIONS, shared_prefix
from bearing_search.training.folds.stage_keys import _NOT_THE_DETECTORS

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


def test_the_encoders_sections_are_those_that_the_stages_name():
    assert set(ENCODER_SECTIONS) == _NOT_THE_DETECTORS - {"postprocess", "protocol"}


def test_configs_share_an_encoder_whatever_their_detector_is():
    paper, vitad = TrialConfig(), parse(TrialConfig, {"detector": "vitad"})
    other = parse(TrialConfig, {"finetune": {"epochs": 40}})
    frozen = {"finetune": {"epochs": 0, "reconstruction_only_epochs": 0}}

    assert shared_prefix(paper) == shared_prefix(vitad)
    assert not set(shared_prefix(paper)) & set(shared_prefix(other))
    assert shared_prefix(parse(TrialConfig, frozen)) == ("", "")


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
