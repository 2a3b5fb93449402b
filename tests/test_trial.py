import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bearing_search.config import FinetuneConfig, SplitConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.prediction_files import STRESS_FILE, fold_predictions
from bearing_search.measurement import (
    FINISHED_FOLDS,
    IMAGE_OBJECTIVE,
    OBJECTIVE,
    TRAIN_GFLOP,
    TrialContext,
    fold_objective,
    running_objective,
)
from bearing_search.training.checkpoint import Checkpoint
from bearing_search.training.cost import train_gflop
from bearing_search.training.folds.fold_plan import validation_plans
from bearing_search.trial import run_final, run_trial


def context(tmp_path: Path, data: Path, folder="trial", stop_after=None, **more) -> TrialContext:
    asked = iter(range(10**9))
    return TrialContext(
        **more,
        data=data,
        folder=tmp_path / folder,
        cache=tmp_path / "cache",
        should_stop=lambda: stop_after is not None and next(asked) >= stop_after,
    )


def numbers(stream) -> list:
    """All that depends on the config alone."""
    return [
        (m.step, {name: v for name, v in m.values.items() if not name.startswith("cost/")})
        for m in stream
    ]


def traces(tmp_path: Path) -> dict[Path, str]:
    """Which iterations ran when, by stage in the store."""
    return {file: file.read_text() for file in tmp_path.glob("cache/stages/*/*/*/trace.jsonl")}


def test_a_trial_scores_every_part_in_every_fold(tmp_path, make_set, tiny_config):
    data = make_set(parts=("LC", "OD"))
    config = replace(tiny_config, preprocess=replace(tiny_config.preprocess, geometry={}))

    stream = list(run_trial(config, context(tmp_path, data)))

    steps = [measurement.step for measurement in stream]
    assert steps == list(range(len(stream)))
    assert len(stream) == 4 * (3 + 6 + 1)  # units * (epochs + rows of the decoder + the score)
    assert [OBJECTIVE in m.values for m in stream] == [False] * (len(stream) - 1) + [True]
    last = stream[-1].values
    for part in ("LC", "OD"):
        folds = [
            next(
                m.values[f"val/{part}/fold{k}/pixel_aupro"]
                for m in stream
                if f"val/{part}/fold{k}/pixel_aupro" in m.values
            )
            for k in range(2)
        ]
        assert last[f"val/{part}/pixel_aupro"] == pytest.approx(np.mean(folds))
    assert last[OBJECTIVE] == pytest.approx(
        (last["val/LC/pixel_aupro"] + last["val/OD/pixel_aupro"]) / 2
    )
    assert all(f"val/{name}" in last for name in METRICS)
    assert [
        m.values[FINISHED_FOLDS] for m in stream if running_objective(OBJECTIVE) in m.values
    ] == [1.0]
    assert stream[-1].progress == pytest.approx(1.0)
    pictures = {file.name for file in (tmp_path / "trial/artifacts").iterdir()}
    kinds = ("heat_maps", "reconstruction", "patches", "curves")
    assert pictures == {f"{kind}_{part}.png" for kind in kinds for part in ("LC", "OD")}
    assert 0 <= last["val/patch_ap"] <= 1
    assert sum("train/LC/fold0/patch_ap" in m.values for m in stream) == 1  # of 3 epochs
    assert TRAIN_GFLOP not in last  # the size of this encoder is not known


@pytest.mark.slow
def test_the_work_of_training_grows_fold_by_fold(tmp_path, make_set, tiny_config):
    data = make_set(parts=("LC",))
    encoder = replace(tiny_config.encoder, name="vit_tiny_patch16_224")  # of known size
    config = replace(
        tiny_config,
        encoder=encoder,
        preprocess=replace(tiny_config.preprocess, geometry={}),
    )
    stream = run_trial(config, context(tmp_path, data))
    counted = [m.values[TRAIN_GFLOP] for m in stream if TRAIN_GFLOP in m.values]

    plans = validation_plans(config, load_data_set(data).samples("train"))
    work = [train_gflop(config, plan.train) for plan in plans]
    assert counted == pytest.approx(np.cumsum(work), abs=2e-3)


@pytest.mark.slow
def test_parts_have_folds_of_their_own_number_and_weigh_the_same(tmp_path, make_set, tiny_config):
    data = make_set(parts=("few", "many"), train_defects=3)
    for file in (data / "few").rglob("train_s2*"):
        if "dent" in str(file):
            file.unlink()
    config = replace(tiny_config, split=SplitConfig())
    train = load_data_set(data).samples("train")

    keys = [plan.key for plan in validation_plans(config, train)]
    assert keys == ["few/fold0", "many/fold0", "few/fold1", "many/fold1", "many/fold2"]

    stream = list(run_trial(config, context(tmp_path, data)))
    score = {
        k: m.values[f"val/{k}/pixel_aupro"]
        for k in keys
        for m in stream
        if f"val/{k}/pixel_aupro" in m.values
    }
    few = (score["few/fold0"] + score["few/fold1"]) / 2
    running = [
        m.values[running_objective(OBJECTIVE)]
        for m in stream
        if running_objective(OBJECTIVE) in m.values
    ]
    assert running == pytest.approx(
        [
            (score["few/fold0"] + score["many/fold0"]) / 2,
            (few + (score["many/fold0"] + score["many/fold1"]) / 2) / 2,
        ]
    )
    alone = [
        m.values[fold_objective(OBJECTIVE)] for m in stream if fold_objective(OBJECTIVE) in m.values
    ]
    assert alone == pytest.approx(
        [(score[f"few/fold{k}"] + score[f"many/fold{k}"]) / 2 for k in range(2)]
    )
    many = sum(score[f"many/fold{k}"] for k in range(3)) / 3
    assert stream[-1].values[OBJECTIVE] == pytest.approx((few + many) / 2)


@pytest.fixture(scope="module")
def numbers_of_whole_trial(tmp_path_factory):
    """What a trial that nobody stops says, by its config; the data are always the same."""
    known = {}

    def numbers_of(config, data):
        if config.digest not in known:
            folder = tmp_path_factory.mktemp("whole")
            known[config.digest] = numbers(
                run_trial(config, context(folder, data, shares_stages=False))
            )
        return known[config.digest]

    return numbers_of


@pytest.mark.parametrize(
    ("detector", "stop_after"),
    [
        *[pytest.param("dinomaly", number, marks=pytest.mark.slow) for number in (0, 2, 7)],
        pytest.param("dinomaly", 17, marks=pytest.mark.slow),
        pytest.param("vitad", 7, marks=pytest.mark.slow),
        pytest.param("patchcore", 8, marks=pytest.mark.slow),
        pytest.param("padim", 11, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_trial_goes_on_where_it_was_and_ends_with_the_same_numbers(
    tmp_path, make_set, tiny_config, numbers_of_whole_trial, detector, stop_after
):
    data = make_set()
    tiny_config = replace(tiny_config, detector=detector)
    whole = numbers_of_whole_trial(tiny_config, data)

    first = list(run_trial(tiny_config, context(tmp_path, data, "parts", stop_after)))
    assert all(OBJECTIVE not in measurement.values for measurement in first)
    rest = list(run_trial(tiny_config, context(tmp_path, data, "parts")))

    assert numbers(rest) == whole
    assert numbers(first) == whole[: len(first)]
    assert len(traces(tmp_path)) == 2 * 3  # folds; a beginning, the encoder, the detector
    for text in traces(tmp_path).values():
        done = 0
        for line in map(json.loads, text.splitlines()):
            if line["event"] == "start":
                assert line["iteration"] == done  # no iteration ran twice
            done = line["iteration"]


@pytest.fixture
def together(tiny_config, make_set):
    """A config that trains two parts together, and their data; one part is turned."""
    config = replace(
        tiny_config,
        scope="multi_part",
        preprocess=replace(tiny_config.preprocess, geometry={}),
    )
    return config, make_set(parts=("LC", "OD"))


@pytest.mark.slow
def test_parts_that_are_trained_together_are_scored_one_by_one(tmp_path, together):
    config, data = together

    stream = list(run_trial(config, context(tmp_path, data)))

    assert [m.step for m in stream] == list(range(2 * (3 + 6 + 1)))  # folds * (epochs, rows, score)
    assert "train/all/fold1/decoder_loss" in stream[-2].values
    scored = [m.values for m in stream if "val/LC/fold0/pixel_aupro" in m.values]
    assert len(scored) == 1
    assert "val/OD/fold0/pixel_aupro" in scored[0]
    last = stream[-1].values
    assert last[OBJECTIVE] == pytest.approx(
        (last["val/LC/pixel_aupro"] + last["val/OD/pixel_aupro"]) / 2
    )
    assert last["val/LC/pixel_aupro"] == pytest.approx(
        (scored[0]["val/LC/fold0/pixel_aupro"] + last["val/LC/fold1/pixel_aupro"]) / 2
    )
    assert stream[-1].progress == pytest.approx(1.0)
    assert stream[-1].tags["defects/OD"] == "real"
    folder = tmp_path / "trial"
    assert list(fold_predictions(folder)) == ["LC/fold0", "LC/fold1", "OD/fold0", "OD/fold1"]
    assert sorted(f.parent.name for f in folder.glob("all/*/unit.json")) == ["fold0", "fold1"]
    assert not list(folder.glob("[LO]*/*/unit.json"))
    assert len(traces(tmp_path)) == 2 * 3  # folds; a beginning, the encoder, the detector
    assert not list(folder.rglob("*.pt"))
    pictures = {file.name for file in (folder / "artifacts").iterdir()}
    assert {"heat_maps_OD.png", "reconstruction_LC.png", "curves_all.png"} < pictures


@pytest.mark.slow
def test_parts_that_are_trained_together_go_on_where_they_were(tmp_path, together):
    config, data = together
    whole = list(run_trial(config, context(tmp_path, data, "whole", shares_stages=False)))

    first = list(run_trial(config, context(tmp_path, data, "parts", 4)))
    rest = list(run_trial(config, context(tmp_path, data, "parts")))

    assert len(first) < len(whole)
    assert numbers(rest) == numbers(whole)


@pytest.mark.slow
def test_one_part_alone_scores_the_same_under_both_scopes(tmp_path, make_set, tiny_config):
    data = make_set()
    last = []
    for scope in ("per_part", "multi_part"):
        alone = context(tmp_path, data, scope, shares_stages=False)
        last += list(run_trial(replace(tiny_config, scope=scope), alone))[-1:]
    assert numbers(last[:1]) == numbers(last[1:])


@pytest.mark.slow
def test_the_final_training_of_parts_together_is_scored_part_by_part(tmp_path, together):
    config, data = together
    last = list(run_final(config, context(tmp_path, data, shares_stages=False)))[-1]
    assert {"test/LC/pixel_aupro", "test/OD/pixel_aupro", "test/pixel_aupro"} <= set(last.values)
    assert (tmp_path / "trial/all/all/detector.pt").exists()
    assert list(fold_predictions(tmp_path / "trial")) == ["LC/all", "OD/all"]


@pytest.mark.parametrize(
    ("detector", "fusion"),
    [
        pytest.param("vitad", "score_mean", marks=pytest.mark.slow),
        pytest.param("patchcore", "score_max", marks=pytest.mark.slow),
        pytest.param("padim", "score_mean", marks=pytest.mark.slow),
        ("subspace", "score_mean"),
    ],
)
def test_every_detector_works_with_several_parts_and_a_map_for_each_brightness(
    tmp_path, make_set, tiny_config, detector, fusion
):
    data = make_set(parts=("LC", "OD"), normals=4, train_defects=2)
    config = replace(
        tiny_config,
        detector=detector,
        fusion=fusion,
        finetune=replace(tiny_config.finetune, epochs=0, reconstruction_only_epochs=0),
        preprocess=replace(tiny_config.preprocess, geometry={}),
    )

    last = list(run_trial(config, context(tmp_path, data)))[-1]

    assert {f"val/{part}/pixel_aupro" for part in ("LC", "OD")} <= set(last.values)
    assert 0 < last.values[OBJECTIVE] <= 1


def test_the_work_of_an_unknown_encoder_is_not_reported(
    tmp_path, make_set, tiny_config, monkeypatch
):
    monkeypatch.setattr("bearing_search.training.cost.encoder_size", lambda config: None)
    frozen = replace(tiny_config.finetune, epochs=0, reconstruction_only_epochs=0)
    last = list(run_trial(replace(tiny_config, finetune=frozen), context(tmp_path, make_set())))[-1]
    assert OBJECTIVE in last.values
    assert TRAIN_GFLOP not in last.values


@pytest.mark.slow
def test_a_finished_trial_repeats_itself_without_training(tmp_path, make_set, tiny_config):
    data = make_set()
    first = list(run_trial(tiny_config, context(tmp_path, data)))
    before = traces(tmp_path)
    assert len(before) == 2 * 3

    again = list(run_trial(tiny_config, context(tmp_path, data, stop_after=0)))

    assert [(m.step, m.values, m.tags) for m in again] == [
        (m.step, m.values, m.tags) for m in first
    ]
    assert traces(tmp_path) == before


@pytest.mark.slow
def test_without_defects_in_train_they_are_drawn_and_it_is_said(tmp_path, make_set, tiny_config):
    data = make_set(levels=1, train_defects=0)

    last = list(run_trial(tiny_config, context(tmp_path, data)))[-1]

    assert 0 < last.values[OBJECTIVE] <= 1
    assert last.tags["defects/plate"] == "synthetic"
    assert len(last.tags["drawn/plate/fold1"]) == 16
    assert last.tags["drawn_sizes/plate"] == "sides of 4 px to 10% of the image, a prior"


def test_the_final_training_is_scored_on_test_and_keeps_its_weights(
    tmp_path, make_set, tiny_config
):
    alone = context(tmp_path, make_set(), shares_stages=False)
    last = list(run_final(tiny_config, alone))[-1]

    assert 0 <= last.values["test/pixel_aupro"] <= 1
    kept = {file.name for file in (tmp_path / "trial/plate/all").iterdir()}
    assert kept == {"finetune.pt", "detector.pt", "scored.npz", "unit.json"}
    encoder = Checkpoint(tmp_path / "trial/plate/all", "finetune")  # not what it went on from
    assert len(encoder.history) == tiny_config.finetune.epochs


def test_frozen_means_no_fine_tuning(tmp_path, make_set, tiny_config):
    frozen = replace(
        tiny_config,
        finetune=replace(tiny_config.finetune, epochs=0, reconstruction_only_epochs=0),
    )
    stream = list(run_trial(frozen, context(tmp_path, make_set())))
    assert not any("pixel_loss" in name for m in stream for name in m.values)
    assert not (tmp_path / "cache/stages/encoder").exists()


def test_without_masks_a_trial_is_scored_by_whole_images(tmp_path, make_set, tiny_config):
    data = make_set(levels=1)
    for mask in data.glob("plate/ground_truth/dent/*"):
        mask.unlink()

    stream = list(run_trial(tiny_config, context(tmp_path, data)))

    last = stream[-1].values
    assert last[IMAGE_OBJECTIVE] == last["val/plate/image_auroc"]
    running = running_objective(IMAGE_OBJECTIVE)
    assert [m.values[FINISHED_FOLDS] for m in stream if running in m.values] == [1.0]
    held_out = {name for m in stream for name in m.values if name.startswith("val/")}
    assert not [name for name in held_out if re.search("pixel|missed|patch", name)]
    assert stream[-1].tags["unmasked/plate/fold1"] == "2 of 2 in training, 2 of 2 held out"
    assert stream[-1].tags["defects/plate"] == "real"


@pytest.mark.slow
def test_a_trial_reports_the_objective_that_it_is_asked_for(tmp_path, make_set, tiny_config):
    finetune = replace(tiny_config.finetune, epochs=0, reconstruction_only_epochs=0)
    config = replace(tiny_config, finetune=finetune)
    asked = context(tmp_path, make_set(levels=1), objective=IMAGE_OBJECTIVE)

    stream = list(run_trial(config, asked))

    names = {name for m in stream for name in m.values}
    assert running_objective(IMAGE_OBJECTIVE) in names
    assert running_objective(OBJECTIVE) not in names
    assert {OBJECTIVE, IMAGE_OBJECTIVE} <= set(stream[-1].values)


@pytest.mark.slow
def test_a_stress_set_is_scored_beside_test_and_moves_none_of_its_numbers(
    tmp_path, make_set, tiny_config
):
    data, frozen = make_set(), FinetuneConfig(epochs=0, reconstruction_only_epochs=0)
    config = replace(tiny_config, detector="padim", finetune=frozen, fusion="score_max")
    plain, stressed = (context(tmp_path, data, name) for name in ("plain", "stressed"))

    without = numbers(run_final(config, plain))
    assert numbers(run_final(config, stressed, stresses=True)) == without

    (scored,) = fold_predictions(stressed.folder).values()
    (expected,) = fold_predictions(plain.folder).values()
    assert np.array_equal(scored.distances, expected.distances)
    assert fold_predictions(plain.folder, STRESS_FILE) == {}
    ((key, found),) = fold_predictions(stressed.folder, STRESS_FILE).items()
    assert key == "plate/all"
    assert found.is_anomalous.sum() == 3 * 8  # normal test samples, angles
    assert len(found.names) == 3 * (9 + 8)
    own = dict(zip(expected.names, expected.image_scores, strict=True))
    unchanged = [n for n, kind in enumerate(found.defects) if kind == "unchanged"]
    assert len(unchanged) == 3
    for n in unchanged:
        name = found.names[n].replace("/unchanged/", "/good/")
        assert found.image_scores[n] == pytest.approx(own[name], rel=1e-6)
    assert (stressed.folder / "plate/all/stress.png").exists()
