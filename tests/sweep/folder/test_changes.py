import json

import pytest

from bearing_search.errors import ConfigError, SweepError
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.session.flags import accepted_changes
from bearing_search.stage_cache.key import STAGES_VERSION
from bearing_search.sweep.folder.changes import with_code, with_data, with_space
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import PriorTrial
from bearing_search.sweep.status import sweep_status


@pytest.fixture
def edited(fakes):
    """The space with some text replaced."""

    def edit(*change):
        return parse_search_space(fakes.SPACE.replace(*change), "edited.yaml")

    return edit


WIDER = ("int: [1, 10]", "int: [1, 30]")


def test_a_space_that_says_the_same_is_no_change(new_sweep, edited):
    folder = new_sweep(folds=3)
    assert with_space(folder, edited("# Which", "# Or which"), "s.yaml", accepted=()) is folder


def test_another_range_is_refused_with_the_difference_until_somebody_agrees(new_sweep, edited):
    folder = new_sweep()
    with pytest.raises(SweepError) as error:
        with_space(folder, edited(*WIDER), "s.yaml", accepted=["code"])
    assert str(error.value).splitlines()[1:] == [
        "- vary.finetune.alternation_period: int [1, 10]",
        "+ vary.finetune.alternation_period: int [1, 30]",
        "only ranges have changed: continue with the new ones by --accept-change space",
    ]
    assert load_sweep(folder.root.parent, "one").record == folder.record


def test_an_accepted_range_is_drawn_from_and_told_everywhere(new_sweep, edited, simulate, fakes):
    folder = new_sweep(target=3)
    simulate(folder, fakes.run_trial)

    with_space(folder, edited("int: [1, 10]", "int: [5, 9000]"), "s.yaml", accepted=["space"])

    folder = load_sweep(folder.root.parent, "one")
    assert folder.record.space_source == "s.yaml"
    (note,) = sweep_status(folder).notes
    assert note.startswith("SPACE CHANGED on 20")
    assert "int [1, 10], + vary.finetune.alternation_period: int [5, 9000]." in note
    folder = folder.updated(SessionOptions(target=12))
    trials = simulate(folder, fakes.run_trial).trials
    assert len(trials) == 12
    drawn = [trial.suggestion["finetune.alternation_period"] for trial in trials[3:]]
    assert max(drawn) > 10
    assert min(drawn) >= 5


def test_a_trial_that_was_running_keeps_its_values_though_the_range_has_left_them(
    new_sweep, edited, ledger_of
):
    folder = new_sweep(target=4)
    ledger = ledger_of(folder)
    scheduled = [ledger.next() for _ in range(4)]

    folder = with_space(folder, edited("[1, 10]", "[5, 6]"), "s", accepted=["space"])

    again = ledger_of(folder)
    assert [again.next() for _ in range(4)] == scheduled


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("epochs: 40", "epochs: 50"), "not only parameters have changed"),
        (
            ("empty: [12]", "empty: [11]"),
            "ssim_layers has a different type or different choi",
        ),
        (("log: [1e-6", "float: [1e-6"), "encoder_lr has a different type"),
        (("encoder_lr: {log: [1e-6", "head_lr: {log: [1e-6"), "parameters were added, removed"),
    ],
)
def test_what_no_sampler_or_reader_can_take_for_one_sweep_is_never_accepted(
    new_sweep, edited, change, why
):
    with pytest.raises(SweepError, match=f"(?s)\\n- .*{why}.*start a new sweep under another name"):
        with_space(new_sweep(), edited(*change), "s.yaml", accepted=["space", "code"])


def test_a_warm_started_sweep_keeps_its_space(new_sweep, edited):
    folder = new_sweep(known=(PriorTrial(source="a/1", suggestion={}, value=0.5),))
    with pytest.raises(SweepError, match="was warm-started on the space"):
        with_space(folder, edited(*WIDER), "s.yaml", accepted=["space"])


def test_code_that_gives_other_numbers_is_refused_until_somebody_agrees(new_sweep):
    older = {**STAGES_VERSION, "encoder": STAGES_VERSION["encoder"] - 1}
    folder = new_sweep(stages=older, git_commit="abcdef0123456789")
    with pytest.raises(SweepError) as error:
        with_code(folder, accepted=["space"])
    assert f"- encoder: {older['encoder']}\n+ encoder: {older['encoder'] + 1}" in str(error.value)
    assert "(abcdef012345)" in str(error.value)
    assert "detector" not in str(error.value)

    changed = with_code(folder, accepted=["code"])

    assert load_sweep(folder.root.parent, "one") == changed
    (note,) = changed.record.notes
    assert note.startswith("CODE CHANGED on 20")
    assert note.endswith("scores before and after may differ because of it.")
    assert with_code(changed, accepted=()) is changed


def test_a_sweep_of_before_this_was_kept_goes_on(new_sweep):
    folder = new_sweep()
    file = folder.root / "sweep.json"
    raw = json.loads(file.read_text())
    del raw["stages"], raw["changes"], raw["max_failures"]
    file.write_text(json.dumps(raw))

    assert load_sweep(folder.root.parent, "one") == folder


def test_data_is_nothing_that_could_be_accepted():
    assert accepted_changes(["code", "space", "code"]) == ["space", "code"]
    with pytest.raises(ConfigError, match="only space and code, never the data"):
        accepted_changes(["data"])


def test_other_training_data_is_refused_until_somebody_asks_for_a_refit(new_sweep):
    folder = new_sweep()
    before = folder.record.data_digest
    assert with_data(folder, before, accepted=False) is folder
    with pytest.raises(SweepError, match="training data has changed") as error:
        with_data(folder, "other", accepted=False)
    assert f"- data digest: {before}\n+ data digest: other" in str(error.value)
    assert "--refit-changed-data" in str(error.value)
    assert load_sweep(folder.root.parent, "one").record.changes == ()


def test_a_refit_is_told_once_by_every_report_and_nothing_else_takes_the_data(new_sweep):
    folder = with_data(new_sweep(), "other", accepted=True)
    assert with_data(folder, "other", accepted=True) is folder
    folder = load_sweep(folder.root.parent, "one")
    (note,) = sweep_status(folder).notes
    assert note.startswith("DATA CHANGED on 20")
    assert "+ data digest: other; `evaluate` trained on the new data" in note
    with pytest.raises(SweepError, match="the data has changed"):
        folder.refuse_changes(data_digest="other")
    folder = with_data(folder, "third", accepted=True)
    assert len(folder.record.notes) == 2
