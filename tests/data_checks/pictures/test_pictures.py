"""Black, identical and squeezed pictures, and defects that are smaller than a patch."""

from pathlib import Path

import numpy as np
import pytest

from bearing_search.api.check import inputs_of
from bearing_search.config import EncoderConfig, TrialConfig
from bearing_search.data.samples import Sample
from bearing_search.data_checks.pictures.picture_facts import picture_facts
from bearing_search.data_checks.pictures.picture_findings import picture_findings
from bearing_search.data_checks.pictures.picture_report import InputSize, part_pictures

AT_448 = InputSize(input_px=448, patch_px=14)


def measured(name, image, marked=None, crop=None):
    is_anomalous = marked is not None
    sample = Sample(
        part="LC",
        split="train",
        defect="dent" if is_anomalous else "good",
        name=name,
        group=name,
        is_anomalous=is_anomalous,
        level_files=(Path(f"{name}.png"),),
        mask_file=Path("m.png") if is_anomalous else None,
    )
    marked = np.zeros(image.shape, dtype=bool) if marked is None else marked
    return sample, picture_facts(image, marked, crop or image.shape)


def grey(seed=0, size=(64, 64)):
    return np.random.default_rng(seed).integers(60, 200, size).astype(np.uint8)


def kinds(found):
    return [one.kind for one in picture_findings(found, part_pictures(found, [AT_448]))]


def test_a_dent_of_six_pixels_in_2048_is_a_hundredth_of_a_patch_at_448():
    marked = np.zeros((2048, 2048), dtype=bool)
    marked[10:16, 10:16] = marked[100:120, 100:120] = marked[500:600, 500:600] = True
    found = [measured("d", np.full((2048, 2048), 90, np.uint8), marked)]
    pictures = part_pictures(found, [AT_448])

    areas = [one.area_px for one in (pictures.smallest, pictures.median, pictures.largest)]
    assert areas == [36, 400, 10_000]
    (shown,) = pictures.smallest.inputs
    assert shown.area_px == pytest.approx(36 * (448 / 2048) ** 2)
    assert shown.patches == pytest.approx(36 * (448 / 2048) ** 2 / 14**2)
    # 6 px are one patch of 14 px where 2048 px are 4778.7, and 342 patches are 4788
    assert shown.one_patch_from_px == 4788
    (finding,) = picture_findings(found, pictures)
    assert "the smallest defect has 36 px" in finding.text
    assert finding.advice == "One patch needs encoder.input_px 4788"


def test_a_region_of_interest_is_what_is_resized():
    marked = np.zeros((400, 400), dtype=bool)
    marked[0:14, 0:14] = True
    whole = part_pictures([measured("d", grey(size=(400, 400)), marked)], [AT_448])
    cropped = part_pictures([measured("d", grey(size=(400, 400)), marked, (200, 200))], [AT_448])
    assert cropped.smallest.inputs[0].patches == pytest.approx(4 * whole.smallest.inputs[0].patches)
    lost = part_pictures([measured("d", grey(size=(400, 400)), marked, (0, 0))], [AT_448])
    assert lost.smallest.inputs == ()


def test_black_masks_among_normals_are_named_and_counted():
    black = np.zeros((64, 64), np.uint8)
    found = [measured(f"{n}_GT", black) for n in range(32)] + [
        measured(f"{n}", grey(n)) for n in range(32)
    ]
    dark, same = picture_findings(found, part_pictures(found, []))
    assert dark.text == (
        "LC: 32 of 64 normal samples are nearly black: 0_GT, 1_GT, 2_GT, 3_GT, 4_GT and 27 more"
    )
    assert len(dark.samples) == 32
    assert "32 of 64 normal samples show 1 picture only" in same.text
    assert part_pictures(found, []).black_share == 0.5


def test_a_long_picture_is_squeezed_and_others_are_not():
    found = [measured("a", grey(1, (460, 1130))), measured("b", grey(2, (460, 600)))]
    (finding,) = picture_findings(found, part_pictures(found, [AT_448]))
    assert "1 of 2 pictures are squeezed into a square, up to 2.5 times" in finding.text
    assert "a is 1130x460" in finding.text
    assert list(part_pictures(found, []).sizes) == ["1130x460", "600x460"]


def test_usual_pictures_are_no_finding():
    marked = np.zeros((64, 64), dtype=bool)
    marked[10:20, 10:20] = True
    found = [measured("a", grey(1)), measured("b", grey(2)), measured("d", grey(3), marked)]
    assert kinds(found) == []
    assert part_pictures(found, []).marked_shares == {"LC/train/dent/d": 100 / 64**2}


def test_every_input_that_the_space_can_choose_is_shown():
    configs = [
        TrialConfig(encoder=EncoderConfig(name=name, input_px=px))
        for name, px in (("vit_small_patch14_dinov2", 448), ("vit_base_patch16", 224), ("x", 64))
    ]
    assert inputs_of(configs) == [
        InputSize(input_px=224, patch_px=16),
        InputSize(input_px=448, patch_px=14),
    ]
