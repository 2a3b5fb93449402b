import json

import pytest
import yaml

from bearing_search.api.evaluation import chosen_trial
from bearing_search.config import LATEST_SCHEME
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import ConfigError, SweepError
from bearing_search.measurement import Measurement, objective_at
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.session.inputs import digest_for
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.status import sweep_status
from bearing_search.sweep.study import grid
from bearing_search.sweep.study.grid import grid_points
from bearing_search.sweep.study.param_encoding import encode

PERIOD = "finetune.alternation_period"
LAYERS = "finetune.ssim_layers"
DESIGN = """# Both sizes, three seeds
base: {finetune: {epochs: 40}}
vary:
  size: {bundle: {paper: {}, small: {encoder.input_px: 224, decoder.batch_size: 8}}}
  seed: {choice: [0, 1, 2]}
"""
POINTS = [{"size": size, "seed": seed} for size in ("paper", "small") for seed in (0, 1, 2)]


def points_of(vary, base=None):
    space = parse_search_space(yaml.safe_dump({"base": base or {}, "vary": vary}), "s")
    return grid_points(space, LATEST_SCHEME)


def test_the_grid_is_every_combination_once_and_begins_with_trial_0():
    points = points_of({PERIOD: {"int": [1, 9, 4]}, LAYERS: {"subset": [11, 12], "empty": [12]}})

    assert points[0] == {PERIOD: 5, LAYERS: [11, 12]}
    assert len(points) == 9
    assert {(p[PERIOD], tuple(p[LAYERS])) for p in points} == {
        (period, layers) for period in (1, 5, 9) for layers in ((11,), (12,), (11, 12))
    }


def test_what_is_no_grid_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"finetune\.encoder_lr: a grid needs discrete values"):
        points_of({"finetune.encoder_lr": {"log": [1e-6, 1e-3]}})
    monkeypatch.setattr(grid, "MAX_POINTS", 8)
    with pytest.raises(ConfigError, match="the grid has more than 8 points"):
        points_of({PERIOD: {"int": [1, 9]}})


def test_all_sets_of_24_layers_are_refused_without_listing_them(monkeypatch):
    listed = []

    class Counting(grid.Subsets):
        def __iter__(self):
            for layers in super().__iter__():
                listed.append(layers)
                yield layers

    monkeypatch.setattr(grid, "Subsets", Counting)
    monkeypatch.setattr(grid, "MAX_POINTS", 8)
    layers = range(1, 25)
    vary = {LAYERS: {"subset": list(layers), "empty": [24]}}
    base = {"encoder": {"name": "vit_large_patch14_reg4_dinov2.lvd142m"}}
    with pytest.raises(ConfigError, match="the grid has more than 8 points"):
        points_of(vary, base)

    space = parse_search_space(yaml.safe_dump({"base": base, "vary": vary}), "s")
    assert grid.all_digests(space, LATEST_SCHEME, at_most=8) is None
    assert len(listed) <= 18


def test_a_point_whose_settings_do_not_go_together_is_found_before_anything_starts():
    vary = {"finetune.epochs": {"int": [30, 100, 70]}}
    vary["finetune.reconstruction_only_epochs"] = {"int": [20, 60, 40]}

    with pytest.raises(ConfigError, match=r"point .*30.*60.* is invalid: finetune"):
        points_of(vary)


def test_a_grid_is_as_large_as_its_space_and_nothing_else(new_sweep):
    folder = new_sweep(space_text=DESIGN, sampler="grid", target=0)

    assert folder.record.target == 6
    with pytest.raises(ConfigError, match="6 points, all of which are run, but trials is 7"):
        folder.updated(SessionOptions(target=7))
    with pytest.raises(ConfigError, match="trials is 4; leave it out"):
        new_sweep(name="two", space_text=DESIGN, sampler="grid", target=4)


@pytest.mark.slow
def test_every_point_runs_once_whenever_the_driver_dies(new_sweep, ledger_of):
    folder = new_sweep(space_text=DESIGN, sampler="grid", target=0)
    seen = []
    ledger = ledger_of(folder)
    for round_ in range(6):
        ledger.next()  # killed while this one runs
        ledger = ledger_of(folder)
        if round_ == 2:
            queued = encode(folder.space(), POINTS[3])
            ledger.study.enqueue(queued, {"purpose": "search", "appointed": True})
            ledger = ledger_of(folder)  # killed between queueing a point and asking for it
        scheduled = ledger.next()
        seen.append(scheduled.suggestion)
        ledger.complete(scheduled.number, 0.5)

    assert seen == POINTS
    assert ledger.is_done
    assert ledger.next() is None
    records = ledger_of(folder).records()
    assert [record.state for record in records] == ["complete"] * 6
    assert [record.purpose for record in records] == ["default"] + ["search"] * 5
    assert [record.seed for record in records] == [0, 1, 2, 0, 1, 2]
    assert len({record.setting for record in records}) == 2


def test_points_are_handed_out_side_by_side(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(space_text=DESIGN, sampler="grid", target=0))

    assert [ledger.next().suggestion for _ in range(6)] == POINTS
    assert ledger.next() is None
    assert not ledger.is_done


def test_a_point_that_fails_is_tried_twice_and_again_at_the_next_session(new_sweep, ledger_of):
    folder = new_sweep(space_text=DESIGN, sampler="grid", target=0)
    ledger = ledger_of(folder)
    failures = 0
    while (scheduled := ledger.next()) is not None:
        if scheduled.suggestion == POINTS[1]:
            ledger.fail(scheduled.number, "no circle", "trace")
            failures += 1
        else:
            ledger.complete(scheduled.number, 0.5)

    assert failures == 2
    assert ledger.is_done
    again = ledger_of(folder)
    assert not again.is_done
    scheduled = again.next()
    assert scheduled.suggestion == POINTS[1]
    again.complete(scheduled.number, 0.5)
    assert again.is_done


@pytest.fixture
def reproduction(new_sweep):
    return new_sweep(space_text=DESIGN, task="reproduction", sampler="grid", target=0)


def on_test(config, context):
    yield Measurement(step=1, values={"train/loss": 1.0})
    yield Measurement(step=2, values={objective_at("pixel", "test"): 0.5 + config.seed / 10})


def test_a_reproduction_scores_every_point_on_test(reproduction, simulate, observed, tmp_path):
    outcome = simulate(reproduction, on_test, [observed])

    assert [trial.value for trial in outcome.trials] == [0.5, 0.6, 0.7] * 2
    assert observed.of("over") == [("",)]
    status = sweep_status(load_sweep(tmp_path, "one"))
    assert (status.objective, status.best) == (objective_at("pixel", "test"), None)
    assert status.num_finished == status.target == 6


def test_a_reproduction_goes_on_where_it_was_stopped(reproduction, simulate):
    def stop_early(number, message, stop):
        if number == 2 and json.loads(message["measurement"])["step"] == 2:
            stop.request("signal")

    assert simulate(reproduction, on_test, (), stop_early).count("complete") == 3
    assert simulate(reproduction, on_test).count("complete") == 6


def test_a_trial_of_a_reproduction_that_gives_no_test_score_has_failed(reproduction, simulate):
    def on_train(config, context):
        yield Measurement(step=1, values={"val/pixel_aupro": 0.5})

    with pytest.raises(SweepError, match="its stream ended without test/pixel_aupro"):
        simulate(reproduction, on_train)


def test_nothing_is_chosen_by_a_reproduction(reproduction, simulate):
    simulate(reproduction, on_test)

    with pytest.raises(SweepError, match="no setting may be chosen by that"):
        chosen_trial(reproduction, None, terminal())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"task": "reproduction"}, "sampler is tpe and pruner none, expected grid and none"),
        (
            {"task": "reproduction", "sampler": "grid", "pruner": "median"},
            "pruner median, expected",
        ),
        ({"objective": "test/pixel_aupro"}, "metrics of a search begin with val/"),
        (
            {"task": "reproduction", "sampler": "grid", "objective": "val/pixel_aupro"},
            "metrics of a reproduction begin with test/",
        ),
        ({"target": 0}, "trials is 0; at least 1"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(new_sweep, changes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        new_sweep(**changes)


def test_a_reproduction_also_depends_on_the_test_files(make_set):
    data = make_set()
    before = [digest_for(task, load_data_set(data)) for task in ("search", "reproduction")]
    file = next((data / "plate/test/good").glob("*.png"))
    file.write_bytes(file.read_bytes() + b" ")

    after = [digest_for(task, load_data_set(data)) for task in ("search", "reproduction")]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
