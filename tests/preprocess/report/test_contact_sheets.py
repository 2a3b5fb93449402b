import csv
import re

import cv2
import numpy as np
import pytest
import typer

from bearing_search.cli.commands.roi import roi
from bearing_search.config import PreprocessConfig
from bearing_search.data.image_folder import find_images
from bearing_search.errors import ConfigError, DataError
from bearing_search.preprocess.report.contact_sheets import COLUMNS
from bearing_search.preprocess.report.extraction import look_at_part


def ring(x=200, y=160, radius=100):
    image = np.full((320, 400), 40, dtype=np.uint8)
    cv2.circle(image, (x, y), radius, 180, -1, cv2.LINE_AA)
    cv2.circle(image, (x, y), int(0.7 * radius), 40, -1, cv2.LINE_AA)
    return image


def write(file, image):
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), image)


def table(out):
    with (out / "roi.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def run():
    """The command as typer would call it."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(roi)

    def call(*arguments):
        app([str(argument) for argument in arguments], standalone_mode=False)

    return call


@pytest.fixture
def plain(tmp_path):
    folder = tmp_path / "pictures"
    for number in range(4):
        write(folder / f"p{number}.png", ring(190 + 5 * number))
    return folder


def test_a_plain_folder_gets_a_sheet_a_table_and_a_summary(run, plain, tmp_path, capsys):
    out = tmp_path / "out"
    run(plain, "--geometry", "circle", "--out", out, "--workers", 1)
    rows = table(out)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["sample"] for row in rows] == ["p0", "p1", "p2", "p3"]
    assert {row["status"] for row in rows} == {"found"}
    assert [float(row["cx"]) for row in rows] == pytest.approx([190, 195, 200, 205], abs=0.3)
    assert all(float(row["r"]) == pytest.approx(100, abs=0.7) for row in rows)
    assert "found 4 of 4 (100.0 %)" in capsys.readouterr().out
    assert "found 4 of 4" in (out / "summary.txt").read_text()
    sheet = cv2.imread(str(out / "sheet_pictures.png"))
    assert sheet is not None
    assert sheet.shape[1] == 3 * 560


def test_what_the_crop_cuts_away_is_told(run, plain, tmp_path, capsys):
    run(plain, "--geometry", "circle", "--out", tmp_path / "all", "--workers", 1)
    assert "cuts away" not in capsys.readouterr().out
    assert {row["cut_away"] for row in table(tmp_path / "all")} == {"0.000"}

    out = tmp_path / "narrow"
    run(plain, "--geometry", "circle", "--ring-half-width-px", 15, "--out", out, "--workers", 1)
    # of 70 to 100 px, the ring keeps 85 to 100
    assert re.search(
        r"cuts away 4\d% of the ring in the median, at most 4\d% \(", capsys.readouterr().out
    )
    assert all(0.44 < float(row["cut_away"]) < 0.48 for row in table(out))


def test_bad_pictures_are_one_line_each_and_the_others_go_on(run, plain, tmp_path, capsys):
    write(plain / "black.png", np.zeros((320, 400), np.uint8))
    (plain / "half.png").write_bytes((plain / "p0.png").read_bytes()[:-30])
    (plain / "text.jpg").write_bytes(b"no picture")
    write(plain / "leaves.png", ring(60))
    out = tmp_path / "out"
    run(plain, "--geometry", "circle", "--out", out, "--workers", 1)
    rows = {row["sample"]: row for row in table(out)}
    assert {name for name, row in rows.items() if row["status"] == "no_roi"} == {
        "black", "half", "text", "leaves"
    }  # fmt: skip
    assert "shows nothing" in rows["black"]["reason"]
    assert "half.png: is truncated" in rows["half"]["reason"]
    assert "text.jpg: not a readable image" in rows["text"]["reason"]
    assert "extends beyond the image" in rows["leaves"]["reason"]
    printed = capsys.readouterr().out
    assert "found 4 of 8 (50.0 %), no ROI 2, unusable 2" in printed
    assert all(printed.count(row["reason"]) == 1 for row in rows.values() if row["reason"])


def data_set(root, levels=3):
    for split, names in (("train", "abc"), ("test", "de")):
        for name in names:
            for level in range(levels):
                file = root / "LC" / split / "good" / f"{name}_b{level}.png"
                write(file, ring() // (level + 1))
    return root


def test_a_data_set_needs_no_geometry_and_keeps_its_splits(run, tmp_path):
    out = tmp_path / "out"
    run(data_set(tmp_path / "set"), "--out", out, "--workers", 1, "--ring-half-width-px", 30)
    assert [(row["part"], row["split"]) for row in table(out)] == [
        ("LC", "test"), ("LC", "test"), ("LC", "train"), ("LC", "train"), ("LC", "train")
    ]  # fmt: skip


def test_a_missing_level_is_named_and_the_others_go_on(run, tmp_path):
    root, out = data_set(tmp_path / "set"), tmp_path / "out"
    (root / "LC" / "train" / "good" / "b_b2.png").unlink()
    run(root, "--out", out, "--workers", 1)
    (missing,) = [row for row in table(out) if row["status"] == "no_roi"]
    assert missing["reason"] == (
        "LC/train/good/b: brightness level 2 is missing (b_b2 not found next to b_b0.png). "
        "Add the file, or remove the sample."
    )
    assert len(table(out)) == 5


def test_a_plain_folder_without_geometry_is_told_what_to_say(run, plain, tmp_path):
    with pytest.raises(DataError, match="--geometry circle"):
        run(plain, "--out", tmp_path / "out")


def test_an_unknown_part_is_refused_with_the_known_ones(run, tmp_path):
    with pytest.raises(ConfigError, match="its parts are LC"):
        run(data_set(tmp_path / "set"), "--part", "SC", "--out", tmp_path / "out")


def test_pictures_of_several_sizes_widen_the_tolerance_unless_it_is_given(run, tmp_path):
    folder = tmp_path / "mixed"
    for radius in (70, 80, 90, 100, 110, 120):
        write(folder / f"r{radius}.png", ring(radius=radius))
    run(folder, "--geometry", "circle", "--out", tmp_path / "wide", "--workers", 1)
    assert {row["status"] for row in table(tmp_path / "wide")} == {"found"}
    run(
        folder, "--geometry", "circle", "--out", tmp_path / "narrow", "--workers", 1,
        "--radius-tolerance-px", 10,
    )  # fmt: skip
    found = [row for row in table(tmp_path / "narrow") if row["status"] == "found"]
    assert [row["sample"] for row in found] == ["r100", "r90"]


def test_no_ring_anywhere_is_a_report_too(run, tmp_path, capsys):
    folder = tmp_path / "empty"
    for number in range(3):
        write(folder / f"e{number}.png", np.full((320, 400), 90, np.uint8))
    run(folder, "--geometry", "circle", "--out", tmp_path / "out", "--workers", 1)
    assert {row["status"] for row in table(tmp_path / "out")} == {"no_roi"}
    assert "found 0 of 3" in capsys.readouterr().out


def test_levels_of_a_plain_folder_are_one_sample(tmp_path):
    for level in range(3):
        write(tmp_path / "set" / "view" / f"a_b{level}.png", ring())
    (sample,) = find_images(tmp_path / "set").samples
    assert (sample.part, sample.name, len(sample.level_files)) == ("view", "a", 3)


def test_progress_is_told_twice_a_sample(plain):
    told = []
    images = find_images(plain)
    report = look_at_part(
        images, "circle", PreprocessConfig(),
        workers=1, adapt_tolerance=False, on_progress=lambda: told.append(1),
    )  # fmt: skip
    assert len(told) == 2 * len(images.samples)
    assert all(row.is_found for row in report.rows)
