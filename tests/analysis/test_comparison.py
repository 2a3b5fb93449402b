from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.comparison import (
    are_comparable,
    difference_intervals,
    influences,
    mean_floor,
    score_intervals,
)
from bearing_search.analysis.influence_cache import scaled_shifts
from bearing_search.config import ProtocolConfig
from bearing_search.evaluation.mean_metrics import mean_metrics
from bearing_search.evaluation.metrics import auroc
from bearing_search.evaluation.prediction_files import load_predictions, save_predictions

PROTOCOL = ProtocolConfig(map_px=16)


def test_an_interval_holds_its_value_and_narrows_with_more_samples(predictions):
    few = score_intervals({"LC/fold0": predictions(1.0)}, PROTOCOL)["pixel_aupro"]
    many = score_intervals({"LC/fold0": predictions(1.0, num=96)}, PROTOCOL)
    assert few.low < few.value < few.high
    assert many["pixel_aupro"].high - many["pixel_aupro"].low < few.high - few.low


def test_parts_weigh_the_same_and_folds_are_averaged_first(predictions):
    folds = {
        "LC/fold0": predictions(3.0),
        "LC/fold1": predictions(3.0, seed=1),
        "OD/fold0": predictions(0.0),
    }
    intervals = score_intervals(folds, PROTOCOL)
    by_part = [intervals[f"{part}/pixel_aupro"].value for part in ("LC", "OD")]
    assert intervals["pixel_aupro"].value == pytest.approx(np.mean(by_part))
    assert by_part[0] > 0.9 > by_part[1]


def test_a_clear_difference_excludes_zero_and_none_does_not(predictions):
    base, clear = {"LC/fold0": predictions(0.5)}, {"LC/fold0": predictions(2.0)}
    other_noise = {"LC/fold0": predictions(0.5, seed=7)}
    better = difference_intervals(clear, base, PROTOCOL)["pixel_aupro"]
    same = difference_intervals(other_noise, base, PROTOCOL)["pixel_aupro"]
    assert better.low > 0
    assert same.low < 0 < same.high


def test_the_interval_of_an_exact_zero_is_zero(predictions):
    folds = {"LC/fold0": predictions(1.0)}
    for found in difference_intervals(folds, folds, PROTOCOL).values():
        assert (found.value, found.low, found.high) == (0, 0, 0)


def test_other_scores_of_the_same_value_favour_neither(predictions):
    fold = predictions(9.0)
    other = {"LC/fold0": replace(fold, image_scores=2 * fold.image_scores)}
    found = difference_intervals({"LC/fold0": fold}, other, PROTOCOL)
    image, pixel = found["image_auroc"], found["pixel_aupro"]
    assert image.value == 0
    assert image.low == -image.high < 0  # both find all of them; either may miss the next
    assert (pixel.low, pixel.high) == (0, 0)  # the maps are the same


def test_a_part_whose_scores_are_equal_is_told_from_one_whose_are_not(predictions):
    one = {"LC/all": predictions(1.0), "OD/all": predictions(1.0)}
    other = {**one, "OD/all": predictions(2.0)}
    found = difference_intervals(one, other, PROTOCOL)
    assert found["LC/pixel_aupro"].high == 0
    assert found["OD/pixel_aupro"].high < 0
    assert found["pixel_aupro"].low < found["pixel_aupro"].high


def test_what_is_undefined_has_no_difference_even_if_scores_are_equal(predictions):
    fold = predictions(1.0)
    normal = {"LC/all": replace(fold, is_anomalous=np.zeros(24, dtype=bool))}
    assert np.isnan(difference_intervals(normal, normal, PROTOCOL)["image_auroc"].value)


def test_other_samples_cannot_be_paired(predictions):
    ours, theirs = {"LC/fold0": predictions(1.0)}, {"LC/fold0": predictions(1.0, names="t")}
    assert not are_comparable(ours, theirs)
    with pytest.raises(ValueError, match="different samples"):
        difference_intervals(ours, theirs, PROTOCOL)


def test_the_floor_is_what_one_score_for_everything_reaches(predictions):
    floor = mean_floor({"LC/fold0": predictions(1.0)}, PROTOCOL)
    assert floor["pixel_aupro"] == pytest.approx(0.15)
    assert floor["image_auroc"] == 0.5
    assert floor["image_ap"] == 0.5  # half of the samples are anomalous
    assert floor["image_f1_max"] == pytest.approx(2 / 3)


def test_what_is_undefined_in_one_fold_is_averaged_over_the_others():
    means = mean_metrics([("LC", {"a": 1.0}), ("LC", {"a": float("nan")}), ("OD", {"a": 0.0})])
    assert means == {"LC/a": 1.0, "OD/a": 0.0, "a": 0.5}


def test_a_metric_that_some_fold_was_not_measured_by_has_no_mean():
    before = {"a": 1.0}  # of a trial that went on after the metric was added
    assert mean_metrics([("LC", before), ("LC", {"a": 0.0, "b": 1.0})]) == {"LC/a": 0.5, "a": 0.5}
    assert mean_metrics([("LC", {"b": 1.0, "a": 0.0}), ("OD", before)]) == {
        "LC/b": 1.0,
        "LC/a": 0.0,
        "OD/a": 1.0,
        "a": 0.5,
    }


def test_scores_survive_the_way_to_disk_and_back(tmp_path, predictions):
    before = predictions(1.0)
    save_predictions(before, tmp_path / "scored.npz")
    after = load_predictions(tmp_path / "scored.npz")
    assert after.maps == pytest.approx(before.maps)
    assert (after.masks == before.masks).all()
    assert (after.names, after.groups) == (before.names, before.groups)
    assert after.metrics(PROTOCOL) == before.metrics(PROTOCOL)


def test_kinds_of_defects_are_stored_and_older_files_have_them_in_titles(tmp_path, predictions):
    fold = replace(predictions(1.0, num=2), defects=("dent", "good"))
    save_predictions(fold, tmp_path / "scored.npz")
    assert load_predictions(tmp_path / "scored.npz").defects == ("dent", "good")
    titled = replace(fold, defects=(), names=("LC/test/scratch/a/b", "LC/test/good/s1"))
    save_predictions(titled, tmp_path / "new.npz")
    assert load_predictions(tmp_path / "new.npz").defects == ()
    with np.load(tmp_path / "new.npz") as saved:
        np.savez(tmp_path / "old.npz", **{k: v for k, v in saved.items() if k != "defects"})
    assert load_predictions(tmp_path / "old.npz").defects == ("scratch", "good")


def test_the_influence_of_groups_on_auroc_gives_delongs_variance(predictions):
    fold = predictions(0.8, num=20)
    found = influences({"LC/all": fold}, PROTOCOL)["LC"]
    column = found.column("image_auroc")

    scores, labels = fold.image_scores, fold.is_anomalous
    beats = scores[labels][:, None] > scores[~labels][None]
    theirs = [beats.mean(axis=1), beats.mean(axis=0)]  # placement values, DeLong et al. 1988
    for shifts, placements in zip((found.of_anomalous, found.of_normal), theirs, strict=True):
        count = len(placements)
        assert sorted(shifts[:, column]) == pytest.approx(
            sorted((placements - beats.mean()) / count)
        )
        variance = (shifts[:, column] ** 2).sum() * count / (count - 1)
        assert variance == pytest.approx(placements.var(ddof=1) / count)


def test_with_one_defect_in_each_fold_the_scatter_between_folds_is_what_counts(predictions):
    folds = {f"LC/fold{k}": predictions(0.6 * k, seed=k, num=2) for k in range(4)}
    found = influences(folds, PROTOCOL)["LC"]
    column = found.column("pixel_aupro")
    values = [fold.metrics(PROTOCOL)["pixel_aupro"] for fold in folds.values()]
    assert found.values[column] == pytest.approx(np.mean(values))
    assert found.of_anomalous[:, column] == pytest.approx((np.array(values) - np.mean(values)) / 4)


def test_views_of_one_part_are_one_piece_of_evidence(predictions):
    fold = predictions(0.8, num=16)
    paired = replace(fold, groups=tuple(f"g{i // 4}" for i in range(16)))
    found = influences({"LC/all": paired}, PROTOCOL)["LC"]
    assert found.anomalous == found.normal == ("g0", "g1", "g2", "g3")  # all have both kinds
    assert (found.of_normal == 0).all()  # one observation each, which is not counted twice
    assert scaled_shifts([{"LC": found}], "pixel_aupro").shape == (4, 1)


def test_a_group_of_both_kinds_is_left_out_whole(predictions):
    fold = replace(predictions(0.8, num=12), groups=("a", "a", *(f"g{i}" for i in range(10))))
    found = influences({"LC/all": fold}, PROTOCOL)["LC"]
    assert (len(found.anomalous), len(found.normal)) == (6, 6)
    column, rest = found.column("image_auroc"), np.arange(12) >= 2
    without = auroc(fold.image_scores[rest], fold.is_anomalous[rest])
    with_all = found.values[column]
    assert found.of_anomalous[0, column] == pytest.approx((with_all - without) * (1 - 1 / 6))
    last = np.arange(12) != 11
    without = auroc(fold.image_scores[last], fold.is_anomalous[last])
    alone = found.normal.index("g9")
    assert found.of_normal[alone, column] == pytest.approx((with_all - without) * (1 - 1 / 6))


def test_folds_of_one_mixed_group_each_have_intervals(predictions):
    folds = {f"LC/fold{k}": predictions(0.5 + k, seed=k, num=8) for k in range(3)}
    folds = {k: replace(fold, groups=(k,) * 8) for k, fold in folds.items()}
    found = influences(folds, PROTOCOL)["LC"]
    column = found.column("image_auroc")
    values = np.array([fold.metrics(PROTOCOL)["image_auroc"] for fold in folds.values()])
    assert found.of_anomalous[:, column] == pytest.approx((values - values.mean()) / 3)
    interval = score_intervals(folds, PROTOCOL)["image_auroc"]
    assert interval.low < interval.value <= interval.high


def test_the_floor_counts_samples_whatever_their_groups(predictions):
    fold = predictions(1.0)
    grouped = replace(fold, groups=tuple(f"g{i // 8}" for i in range(24)))
    assert mean_floor({"LC/all": grouped}, PROTOCOL) == mean_floor({"LC/all": fold}, PROTOCOL)


def test_regions_without_a_map_stay_missed(predictions):
    fold = replace(predictions(3.0), unreachable_regions=12)
    name = "pixel_aupro"
    value = score_intervals({"LC/all": fold}, PROTOCOL)[name].value
    assert value == pytest.approx(fold.metrics(PROTOCOL)[name])
    assert value == pytest.approx(predictions(3.0).metrics(PROTOCOL)[name] / 2)
