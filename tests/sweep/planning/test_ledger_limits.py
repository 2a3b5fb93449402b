"""How often the ledger draws anew, when an idle driver looks again, and whose trials it tells."""

from itertools import groupby
from types import SimpleNamespace
from typing import ClassVar

import pytest

from bearing_search.errors import SweepError
from bearing_search.measurement import FINISHED_FOLDS, OBJECTIVE, Measurement, running_objective
from bearing_search.sweep.locking.drivers import SingleDriver
from bearing_search.sweep.planning import ledger as ledger_module
from bearing_search.sweep.planning.config_index import MAX_FAILURES_PER_CONFIG
from bearing_search.sweep.planning.ledger import Ledger
from bearing_search.sweep.study.trial_records import REDRAWN

TWO_POINTS = """# Which of two?
base: {}
vary:
  finetune.alternation_period: {int: [5, 6]}
"""


class OneOfSeveral(SingleDriver):
    """A driver among others that are alive, as on PostgreSQL."""

    is_shared = True
    alive: ClassVar[set[str]] = set()

    def __init__(self):
        super().__init__()
        self.alive.add(self.name)

    def peer_names(self):
        return self.alive - {self.name}


@pytest.fixture
def one_of_several(new_sweep, monkeypatch):
    """A ledger that others may use, with a clock of its own."""
    monkeypatch.setattr(OneOfSeveral, "alive", set())
    opened = []

    def open_ledger(folder):
        opened.append(Ledger(folder, OneOfSeveral()))
        return opened[-1]

    yield open_ledger
    for ledger in opened:
        ledger.close()


def test_an_idle_driver_of_several_looks_again_after_half_a_second(
    new_sweep, one_of_several, monkeypatch
):
    now = [0.0]
    monkeypatch.setattr(ledger_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    ledger = one_of_several(new_sweep(target=2))

    first, second = ledger.next(), ledger.next()  # whoever finds work does not rest
    assert (first.number, second.number) == (0, 1)
    assert ledger.next() is None
    ledger.fail(0, "no circle", "trace")  # there is work again
    now[0] = 0.49
    assert ledger.next() is None
    now[0] = 0.5
    assert ledger.next().number == 2


def test_what_another_driver_runs_has_not_begun_here(new_sweep, one_of_several):
    folder = new_sweep(target=3)
    here, there = one_of_several(folder), one_of_several(folder)
    mine, other = here.next(), there.next()
    here.study.enqueue({"finetune.alternation_period": 3}, {"purpose": "search"})
    with here.turn():  # hears what the other one does
        pass

    assert [record.number for record in here.begun()] == [mine.number]
    assert {record.number: record.state for record in here.records()} == {
        mine.number: "running",
        other.number: "running",
        2: "waiting",
    }
    here.complete(mine.number, 0.5)
    assert not here.is_done  # the other one still runs


@pytest.mark.parametrize("most", [1, 3])
def test_a_repeated_suggestion_is_copied_after_exactly_so_many_redraws(
    new_sweep, ledger_of, monkeypatch, most
):
    monkeypatch.setattr(ledger_module, "MAX_REPEATS", most)
    ledger = ledger_of(new_sweep(space_text=TWO_POINTS, target=5))
    # both points are known to be tried, and the sampler is asked all the same
    monkeypatch.setattr(type(ledger._state), "wants_draws", property(lambda state: state._room > 0))
    while (scheduled := ledger.next()) is not None:
        ledger.complete(scheduled.number, 0.5)

    records = [record for record in ledger.records() if record.same_as is not None]
    assert len(records) == 3
    trials = ledger.study.frozen_trials()
    runs = [
        (is_redrawn, len(list(run)))
        for is_redrawn, run in groupby(REDRAWN in trial.user_attrs for trial in trials)
    ]
    lengths = [length for is_redrawn, length in runs if is_redrawn]
    assert lengths[-3:] == [most] * 3
    assert max(lengths) == most


def test_a_sweep_gives_up_after_exactly_so_many_refusals_and_names_the_last(
    new_sweep, ledger_of, monkeypatch
):
    monkeypatch.setattr(ledger_module, "MAX_REDRAWS", 4)
    ledger = ledger_of(new_sweep(space_text=TWO_POINTS, target=40))
    for _ in range(2 * MAX_FAILURES_PER_CONFIG):
        ledger.fail(ledger.next().number, "no circle", "trace")
    numbered = ledger.study.refuse
    monkeypatch.setattr(
        ledger.study, "refuse", lambda trial, reason: numbered(trial, f"({trial.number}) {reason}")
    )

    with pytest.raises(SweepError, match=r"last 4 .* last\s+one: \(7\) this setting has failed 2"):
        ledger.next()
    assert [record.number for record in ledger.records() if "(" in record.reason] == [4, 5, 6, 7]


def test_only_trials_of_the_search_are_pruned(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=9, pruner="median"))
    poor = {running_objective(OBJECTIVE): 0.0, FINISHED_FOLDS: 1.0}
    good = {running_objective(OBJECTIVE): 0.9, FINISHED_FOLDS: 1.0}
    default = ledger.next().number
    for _ in range(3):
        number = ledger.next().number
        assert not ledger.report(number, Measurement(step=1, values=good))
        ledger.complete(number, 0.9)

    assert not ledger.report(default, Measurement(step=1, values=poor))  # trial 0 is always told
    assert ledger.report(ledger.next().number, Measurement(step=1, values=poor))


def test_with_several_objectives_nothing_is_pruned(new_sweep, ledger_of):
    two = "objectives: [val/pixel_aupro: max, cost/seconds: min]\n"
    ledger = ledger_of(new_sweep(space_text=TWO_POINTS + two))
    told = {running_objective(OBJECTIVE): 0.1, FINISHED_FOLDS: 1.0}
    assert not ledger.report(ledger.next().number, Measurement(step=1, values=told))


def test_a_setting_that_was_asked_for_is_copied_and_not_drawn_anew(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(space_text=TWO_POINTS, target=3))
    first = ledger.next()
    ledger.complete(first.number, 0.5)
    facts = {"purpose": "search", "seed": first.config.seed, "appointed": True}
    ledger.study.enqueue({"finetune.alternation_period": 5}, facts)  # killed before it was asked

    ledger.next()

    assert ledger.records()[1].same_as == first.number
    assert not any(REDRAWN in trial.user_attrs for trial in ledger.study.frozen_trials()[:2])
