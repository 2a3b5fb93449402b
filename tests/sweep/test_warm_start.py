import shutil
from dataclasses import replace

import pytest

from bearing_search.errors import SweepError
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord
from bearing_search.sweep.warm_start import prior_trials


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "first"


@pytest.fixture
def first(kept, tmp_path, new_sweep, simulate, fakes):
    """A finished sweep, which is simulated once and copied for each test."""
    if not kept.exists():
        folder = new_sweep(name="first", target=12, seeds=SeedPlan(audit=2))
        simulate(folder, fakes.run_trial)
        shutil.copytree(folder.root, kept)
        return folder
    shutil.copytree(kept, tmp_path / "first")
    return load_sweep(tmp_path, "first")


@pytest.fixture
def warm(first, new_sweep):
    """A sweep that knows what the first one found."""

    def start(**changes):
        record = replace(first.record, **{"name": "second", "sweep_id": "2", **changes})
        return new_sweep(
            name="second",
            target=record.target,
            seed=record.seed,
            known=prior_trials(first, record, first.space()),
        )

    return start


def finish(ledger, fakes):
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
        ledger.complete(one.number, fakes.score_of(one.config))
    return scheduled


def test_the_points_are_the_trials_that_counted(first):
    points = prior_trials(first, replace(first.record, name="second"), first.space())

    assert [point.source for point in points] == ["first/0", *(f"first/{n}" for n in range(2, 13))]
    assert all(point.value > 0 for point in points)


@pytest.mark.slow
def test_a_warm_start_draws_where_the_first_sweep_found_something(
    warm, ledger_of, fakes, new_sweep
):
    scheduled = finish(ledger_of(warm(target=9, seed=5)), fakes)
    cold = finish(ledger_of(new_sweep(name="cold", target=9, seed=5)), fakes)

    def mean(trials):
        return sum(fakes.score_of(trial.config) for trial in trials[1:]) / 8

    assert scheduled[0].number == 0  # the base, run afresh
    assert scheduled[1].number == 13  # after it the 12 known points
    assert mean(scheduled) > mean(cold) + 0.05


@pytest.mark.slow
def test_known_points_are_no_trials_and_are_told_once_whatever_dies(warm, ledger_of, fakes):
    folder = load_sweep(warm(target=3).root.parent, "second")  # as `resume` reads it
    for _ in range(3):
        ledger = ledger_of(folder)
        ledger.next()
        ledger.next()
    finish(ledger, fakes)

    records = ledger_of(folder).records()
    assert len(records) == 3
    trials = ledger_of(folder).study.frozen_trials()
    assert sum("known" in trial.user_attrs for trial in trials) == 12


def test_a_sweep_that_says_nothing_here_is_refused_with_the_reason(first, new_sweep, fakes):
    def refusal(record=first.record, space=None):
        with pytest.raises(SweepError, match="first: cannot warm-start") as error:
            prior_trials(first, replace(record, name="second"), space or first.space())
        return str(error.value)

    other = new_sweep(name="other", space_text=fakes.SPACE.replace("[1, 10]", "[1, 20]"))
    assert "its parameters differ in finetune.alternation_period" in refusal(space=other.space())
    base = new_sweep(name="base", space_text=fakes.SPACE.replace("epochs: 40", "epochs: 50"))
    assert "its base settings differ" in refusal(space=base.space())
    assert "its base settings differ" in refusal(space=first.space().with_setting("split.folds", 4))
    changed = replace(first.record, data_digest="d2")
    assert "its data digest is d1, not d2" in refusal(changed)
    auroc = replace(first.record, objective="val/image_auroc")
    assert "its objective is val/pixel_aupro, not val/image_auroc" in refusal(auroc)
    assert "wilcoxon needs the best trial's score in each fold" in refusal(
        replace(first.record, pruner="wilcoxon")
    )


def test_a_sweep_without_a_complete_trial_knows_nothing(new_sweep):
    empty = new_sweep(name="empty")

    with pytest.raises(SweepError, match="it has no complete trial"):
        prior_trials(empty, replace(empty.record, name="second"), empty.space())


def test_what_is_known_is_kept_in_the_record(warm):
    folder = warm()

    read = load_sweep(folder.root.parent, "second")
    assert read.record.known == folder.record.known
    assert isinstance(read.record, SweepRecord)
    assert folder.view([]).facts["warm_start"] == "first"
