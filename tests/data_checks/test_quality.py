from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bearing_search.config import PreprocessConfig, SplitConfig, parse
from bearing_search.data.dataset import load_data_set
from bearing_search.data.samples import Sample
from bearing_search.data_checks.counts import count_part
from bearing_search.data_checks.quality import facts_of_part, shift_between
from bearing_search.data_checks.quality_findings import RESPONSE_FROM, lost_share, quality_findings

from .conftest import SIDE, plate, write


def judged(root: Path, tmp_path: Path, config: PreprocessConfig | None = None):
    samples = load_data_set(root).all_samples
    facts = facts_of_part(samples, config or PreprocessConfig(), tmp_path / "cache")
    return facts, quality_findings(facts)


@pytest.mark.parametrize("scale", [1, 6])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, -2), (-5, 4)])
def test_a_shift_is_measured_under_another_exposure(scale, x, y):
    image = cv2.resize(plate(0), None, fx=scale, fy=scale)
    darker = (np.roll(image, (y, x), (0, 1)) ** 0.9 * 0.4).astype(np.uint8)

    found_x, found_y, response = shift_between(image, darker)

    # large images are shrunk first
    assert (found_x, found_y) == (
        pytest.approx(x, abs=0.1 * scale),
        pytest.approx(y, abs=0.1 * scale),
    )
    assert response > 0.4


def test_strangers_have_no_clear_shift():
    assert shift_between(plate(0), plate(1))[2] < RESPONSE_FROM


def test_clean_levels_give_nothing_to_say(plates, tmp_path):
    assert judged(plates(levels=3), tmp_path)[1] == []


def test_a_level_that_was_moved_is_named_with_its_shift(plates, tmp_path):
    root = plates(levels=3)
    file = root / "lid/train/good/s2_b1.png"
    cv2.imwrite(str(file), np.roll(cv2.imread(str(file), 0), 4, axis=1))

    (found,) = judged(root, tmp_path)[1]

    assert found.kind == "registration"
    assert found.samples == ("lid/train/good/s2",)
    assert "s2 b1 by (+4.0, +0.0) px" in found.text


def test_swapped_levels_of_one_sample_are_named(plates, tmp_path):
    root = plates(levels=2)
    one, other = (root / f"lid/train/good/s2_b{level}.png" for level in (0, 1))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)

    (found,) = judged(root, tmp_path)[1]

    assert (found.kind, found.samples) == ("brightness", ("lid/train/good/s2",))


def test_levels_that_are_all_the_wrong_way_round_are_one_finding(plates, tmp_path):
    root = plates(levels=2)
    for file in sorted(root.rglob("*_b0.png")):
        other = file.with_name(file.name.replace("_b0", "_b1"))
        content = file.read_bytes()
        file.write_bytes(other.read_bytes())
        other.write_bytes(content)

    (found,) = judged(root, tmp_path)[1]

    assert "in 9 of 9 samples b0 is not the brightest" in found.text
    assert found.samples == ()


def test_an_empty_mask_on_an_anomalous_sample(plates, tmp_path):
    root = plates()
    for name, mask in (("d0", np.eye(SIDE)), ("d1", np.zeros((SIDE, SIDE)))):
        write(root / "lid", "train", name, plate(500 + int(name[1])), kind="dent")
        (root / "lid/ground_truth/dent").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / f"lid/ground_truth/dent/{name}_mask.png"), mask)

    (found,) = judged(root, tmp_path)[1]

    assert found.samples == ("lid/train/dent/d1",)
    assert "empty mask" in found.text


def test_marks_outside_the_region_are_counted_as_a_share(tmp_path):
    # a ring of radius 60 to 80 px; kept are 10 px on either side of its outline
    root = tmp_path / "data"
    for number in range(3):
        write(root / "LC", "train", f"r{number}", ring())
    write(root / "LC", "test", "bad", ring(), kind="dent")
    mask = np.zeros((240, 240), np.uint8)
    mask[118:122, 196:204] = 255  # on the outline, at x 200
    mask[118:122, 20:22] = 255  # far outside
    (root / "LC/ground_truth/dent").mkdir(parents=True)
    cv2.imwrite(str(root / "LC/ground_truth/dent/bad_mask.png"), mask)
    config = parse(PreprocessConfig, {"circle": {"ring_half_width_px": 10}})

    facts, (found,) = judged(root, tmp_path, config)

    assert lost_share(facts) == pytest.approx(8 / 40)
    assert "20.0 % of the marked pixels lie outside" in found.text
    assert "1 regions wholly" in found.text


def test_a_part_whose_rings_cannot_be_found_is_unusable(plates, tmp_path):
    root = plates()
    (root / "lid").rename(root / "LC")
    for file in root.rglob("*.png"):
        cv2.imwrite(str(file), np.full((SIDE, SIDE), 90, np.uint8))

    facts, (found,) = judged(root, tmp_path)

    assert found.severity == "problem"
    assert facts.no_reference


def test_facts_are_kept_by_content(plates, tmp_path, monkeypatch):
    root = plates(levels=2)
    first = judged(root, tmp_path)
    monkeypatch.setattr("bearing_search.data_checks.quality.read_levels", None)
    assert judged(root, tmp_path) == first


def ring() -> np.ndarray:
    image = np.full((240, 240), 30, np.uint8)
    cv2.circle(image, (120, 120), 80, 200, -1, cv2.LINE_AA)
    cv2.circle(image, (120, 120), 50, 30, -1, cv2.LINE_AA)
    return image


def samples(*, split="train", normal=0, anomalous=0, per_group=1) -> list[Sample]:
    return [
        Sample(
            part="LC",
            split=split,
            defect="dent" if i < anomalous else "good",
            name=f"{split}{i}",
            group=f"{split}{i < anomalous}{i // per_group}",
            is_anomalous=i < anomalous,
            level_files=(Path(f"{split}{i}.png"),),
            mask_file=Path(f"{split}{i}_mask.png") if i < anomalous else None,
        )
        for i in range(anomalous + normal)
    ]


def said(*groups: list[Sample], folds: int | None = None) -> str:
    everything = [sample for group in groups for sample in group]
    _, findings = count_part(everything, SplitConfig(folds=folds))
    return "\n".join(f"{found.severity}: {found.text}" for found in findings)


def test_what_three_defects_and_nine_normals_can_show():
    text = said(samples(normal=20, anomalous=3), samples(split="test", normal=9, anomalous=5))
    assert "3 anomalous training samples: 3 folds at most; 3 are made, each judged by 1" in text
    assert "test has 9 normals: zero false alarms still allows 28 % overkill" in text
    assert "149 needed to claim 2 %" in text
    # 1 - .05 ** (1 / 5)
    assert "test has 5 anomalous samples: zero misses still allows 45 %" in text


def test_the_normals_are_named_where_they_limit_the_folds():
    text = said(samples(normal=4, anomalous=8))
    assert "8 anomalous training samples but 4 normal ones: 4 folds at most; 4 are made" in text
    assert "judged by 2 of the anomalous ones" in text


def test_views_of_one_thing_count_once():
    text = said(samples(normal=20, anomalous=4), samples(split="test", normal=12, per_group=6))
    # two things: 1 - .05 ** (1 / 2)
    assert "test has 12 normals of 2 things: zero false alarms still allows 78 % overkill" in text
    assert "warning: LC: test has no anomalous sample" in text


def test_things_that_hold_both_kinds_make_a_part_usable():
    train = [
        replace(sample, group=f"position{i % 3}")
        for i, sample in enumerate(samples(normal=30, anomalous=18))
    ]
    text = said(train, samples(split="test", normal=30, anomalous=30))
    assert "problem" not in text
    assert "18 anomalous training samples of 3 things: 3 folds at most; 3 are made" in text
    counts, _ = count_part(train, SplitConfig())
    assert (counts.train_normal_groups, counts.train_anomalous_groups, counts.folds) == (3, 3, 3)


def test_more_folds_than_defects_is_unusable():
    text = said(samples(normal=20, anomalous=3), folds=5)
    assert "problem: LC: 3 anomalous groups in train, but 5 folds" in text
    assert "each judged" not in text


def test_enough_is_said_in_no_words():
    train, test = samples(normal=200), samples(split="test", normal=149, anomalous=149)
    assert said(train, test).startswith("note: LC: no anomalous training sample")
    assert len(said(train, test).splitlines()) == 1


def test_a_part_without_training_samples_is_unusable():
    assert "problem: LC: has no training sample" in said(samples(split="test", normal=3))


def test_counts_are_those_of_the_samples():
    of_part = [
        *samples(normal=10, anomalous=4),
        *samples(split="test", normal=6, anomalous=6, per_group=3),
    ]
    counts, _ = count_part(of_part, SplitConfig())
    assert replace(counts, part="", folds=0, levels=0) == replace(
        counts,
        part="",
        folds=0,
        levels=0,
        train_normal=10,
        train_anomalous=4,
        test_normal=6,
        test_anomalous=6,
        test_normal_groups=2,
        test_anomalous_groups=2,
    )
    assert (counts.folds, counts.levels) == (4, 1)
