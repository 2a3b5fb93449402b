"""A metric that is added from outside the package reaches everything that knows metrics."""

import csv
import importlib.util
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bearing_search.analysis.comparison import influences, mean_floor, score_intervals
from bearing_search.analysis.influence_cache import scaled_shifts, trial_influences
from bearing_search.config import PostprocessConfig, ProtocolConfig
from bearing_search.errors import ConfigError
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.metrics import PreparedScores, score, trivial_floor
from bearing_search.evaluation.prediction_files import save_predictions
from bearing_search.reporting.evaluation_markdown import evaluation_markdown
from bearing_search.reporting.test_evaluation import ComparedPredictions, evaluation_of
from bearing_search.reproduction.chart import draw_chart
from bearing_search.reproduction.crossed import Run
from bearing_search.reproduction.html_page import html_page
from bearing_search.reproduction.measure import table_data
from bearing_search.reproduction.pages import csv_text, long_rows, markdown_page
from bearing_search.reproduction.published import EncoderState
from bearing_search.reproduction.texts import Facts
from bearing_search.search_space.objectives import objective_spec

HERE = Path(__file__).parent
PROTOCOL = ProtocolConfig(map_px=16)
NAME = "image_clear_share"
SEVEN = tuple(METRICS)


@pytest.fixture
def toy():
    """The toy module, loaded; what it adds to METRICS is taken away afterwards."""
    before = dict(METRICS)
    spec = importlib.util.spec_from_file_location("toy_metric", HERE / "toy_metric.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    METRICS.clear()
    METRICS.update(before)


def test_the_toy_is_worked_out_in_the_head(toy):
    maps = np.zeros((5, 2, 2), dtype=np.float32)
    masks = np.zeros((5, 2, 2), dtype=bool)
    labels = np.array([True, True, True, False, False])
    values = score(maps, masks, np.array([4.0, 3.0, 1.0, 3.0, 0.0]), labels)
    assert values[NAME] == pytest.approx(1 / 3)  # 3 is no higher than the normal 3


def test_it_stands_beside_the_seven_whose_values_do_not_move(predictions, toy):
    unit = predictions(1.0)
    found = unit.metrics(PROTOCOL)
    del METRICS[NAME]
    alone = unit.metrics(PROTOCOL)
    assert set(found) - set(alone) == {NAME}
    assert {name: found[name] for name in alone} == alone
    assert list(alone) == [*SEVEN, "pixel_aupro_200"]


@pytest.mark.parametrize("level", ["image", "pixel"])
def test_a_resample_gives_what_scoring_the_drawn_samples_gives(predictions, toy, level):
    METRICS[NAME] = replace(METRICS[NAME], level=level)
    unit = predictions(1.5)
    drawn = np.random.default_rng(3).integers(24, size=24)
    data = (unit.maps, unit.masks, unit.image_scores, unit.is_anomalous)
    prepared = PreparedScores(*data).at(drawn)
    anew = score(*(array[drawn] for array in data))
    assert list(prepared) == [*SEVEN, NAME]
    assert 0 < prepared[NAME] < 1
    assert prepared[NAME] == pytest.approx(anew[NAME])


def test_its_floor_and_its_interval_are_there(predictions, toy):
    unit = predictions(1.0)
    assert trivial_floor(unit.masks, unit.is_anomalous)[NAME] == 0
    units = {"LC/fold0": unit, "LC/fold1": predictions(1.0, seed=1), "OD/fold0": predictions(2.0)}
    assert mean_floor(units, PROTOCOL)[NAME] == 0
    intervals = score_intervals(units, PROTOCOL)
    for name in (NAME, f"LC/{NAME}", f"OD/{NAME}"):
        assert intervals[name].low <= intervals[name].value <= intervals[name].high
    assert intervals[f"OD/{NAME}"].value == units["OD/fold0"].metrics(PROTOCOL)[NAME]


def test_a_space_may_ask_for_it_and_not_for_the_worse(toy):
    asked = [{"val/pixel_aupro": "max"}, {f"val/{NAME}": "max"}]
    goals = objective_spec(asked, [f"val/{NAME} >= .2"])
    assert goals.metrics == [f"val/{NAME}"]
    with pytest.raises(ConfigError, match="better is max"):
        objective_spec([asked[0], {f"val/{NAME}": "min"}], None)

    METRICS[NAME] = replace(METRICS[NAME], direction="min")
    assert objective_spec([asked[0], {f"val/{NAME}": "min"}], None).others[0].direction == "min"
    del METRICS[NAME]
    with pytest.raises(ConfigError, match=f"val/{NAME} is not one of val/pixel_aupro"):
        objective_spec(asked, None)


@pytest.fixture
def trial(tmp_path, predictions):
    """A finished trial's folder, and a count of how often its influences were computed."""
    for fold in range(2):
        (tmp_path / f"LC/fold{fold}").mkdir(parents=True)
        save_predictions(predictions(1.0, seed=fold), tmp_path / f"LC/fold{fold}/scored.npz")
    return tmp_path


@pytest.fixture
def computed(monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return influences(*arguments)

    monkeypatch.setattr("bearing_search.analysis.influence_cache.influences", counted)
    return calls


def assert_equal(found, other):
    assert found.keys() == other.keys()
    for part, one in found.items():
        for name in one.metrics:
            assert one.value_of(name) == other[part].value_of(name)
            assert one.floor_of(name) == other[part].floor_of(name)
            for ours, theirs in zip(one.shifts_of(name), other[part].shifts_of(name), strict=True):
                assert ours.tolist() == theirs.tolist()


def test_kept_influences_are_computed_anew_only_where_a_metric_is_missing(trial, computed, toy):
    METRICS.pop(NAME)
    seven = trial_influences(trial, PROTOCOL)
    assert_equal(seven, trial_influences(trial, PROTOCOL))
    assert len(computed) == 1

    toy.METRICS[NAME] = toy.Metric(
        title="I-clear", level="image", direction="max", function=toy.clear_share
    )
    eight = trial_influences(trial, PROTOCOL)
    assert len(computed) == 2
    assert eight["LC"].metrics == (*SEVEN, NAME)
    assert_equal(seven, eight)
    assert_equal(eight, trial_influences(trial, PROTOCOL))
    assert np.abs(scaled_shifts([eight], NAME)).sum() > 0

    METRICS.pop(NAME)  # a process without the plug-in takes the seven that it knows
    assert_equal(seven, trial_influences(trial, PROTOCOL))
    assert trial_influences(trial, PROTOCOL)["LC"].metrics == SEVEN
    assert len(computed) == 2


def test_kept_influences_go_by_name_whatever_the_order(trial, computed):
    before = dict(METRICS)
    ours = trial_influences(trial, PROTOCOL)
    try:
        METRICS.clear()
        METRICS.update(reversed(before.items()))
        theirs = trial_influences(trial, PROTOCOL)
    finally:
        METRICS.clear()
        METRICS.update(before)
    assert theirs["LC"].metrics == SEVEN[::-1]
    assert_equal(ours, theirs)
    assert len(computed) == 1


def test_a_file_of_an_older_release_names_no_metrics_and_has_the_seven(trial, computed, toy):
    for name in set(METRICS) - set(SEVEN[:7]):
        METRICS.pop(name)
    seven = trial_influences(trial, PROTOCOL)
    file = trial / "influence.npz"
    with np.load(file) as saved:
        assert saved["metrics"].tolist() == list(SEVEN[:7])
        content = {name: saved[name] for name in saved.files if name != "metrics"}
    np.savez_compressed(file, **content)
    assert_equal(seven, trial_influences(trial, PROTOCOL))
    assert len(computed) == 1

    METRICS[NAME] = toy.Metric(
        title="I-clear", level="image", direction="max", function=toy.clear_share
    )
    assert NAME in trial_influences(trial, PROTOCOL)["LC"].metrics
    assert len(computed) == 2


@pytest.mark.slow
def test_evaluate_and_reproduce_show_it_without_a_number_of_the_paper(tmp_path, predictions, toy):
    evaluation = evaluation_of(
        ComparedPredictions(
            tuned={"LC/all": predictions(3.0)},
            frozen={"LC/all": predictions(0.5)},
            validation={"LC/fold0": predictions(3.0, seed=4)},
            protocol=PROTOCOL,
            postprocess=PostprocessConfig(),
        ),
        sweep="first",
        trial=3,
        times_opened=1,
    )
    assert f"| {NAME} | " in evaluation_markdown(evaluation)

    runs = []
    signals: dict[EncoderState, float] = {"EN_pre": 0.5, "EN_train": 1.5}
    for encoder, signal in signals.items():
        file = tmp_path / f"{encoder}.npz"
        save_predictions(predictions(signal), file)
        runs.append(Run(detector="vitad", encoder=encoder, part="LC", seed=0, file=file))
    measured = table_data(runs, PROTOCOL)
    facts = Facts(
        name="x", question="", planned=2, data="", is_rendered=False, map_px=16, fpr_limit=0.3
    )
    line = measured.line("vitad", "LC", NAME)
    assert line.paper == {"EN_pre": None, "EN_train": None}
    assert line.difference.value > 0
    assert measured.line("vitad", "LC", "pixel_aupro").paper["EN_pre"] == 0.4212
    page = markdown_page(measured, facts, {}, "")
    header, _, values, printed = page[page.index("| model |") :].splitlines()[:4]
    titles = header.split(" | ")
    assert titles[titles.index("P-AUPRO") :][:2] == ["P-AUPRO", "P-AUPRO (200)"]
    assert titles[-1] == "I-clear |"
    assert values.split(" | ")[-1].startswith(f"{line.values['EN_pre'].value:.4f} ")
    assert printed.split(" | ")[-1] == "- |"
    assert "<th>I-clear</th>" in html_page(measured, facts, {}, [])
    rows = csv.DictReader(io.StringIO(csv_text(long_rows(measured, facts))))
    assert [row["paper"] for row in rows if row["metric"] == NAME] == [""] * 3
    draw_chart(measured, facts, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
