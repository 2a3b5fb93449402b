"""Which samples a name stands for, and which part they show."""

import os
from pathlib import Path

import pytest
from PIL import Image

from bearing_search.errors import ConfigError, DataError
from bearing_search.prediction.inputs import find_inputs
from bearing_search.prediction.pairing import natural_key
from bearing_search.prediction.pixel_limit import page_sizes, size_flaw


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Writes files with names only: nothing is opened before it is judged."""
    monkeypatch.chdir(tmp_path)

    def write(*names):
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x")
        return tmp_path

    return write


def found(images, parts=("LC",), part=""):
    inputs = find_inputs(images, parts, part)
    return {
        one.sample.title: (one.sample.part, [Path(str(f)).name for f in one.sample.levels])
        for one in inputs.samples
    }


def test_levels_are_paired_and_samples_come_in_natural_order(tree):
    tree("d/s10_b0.png", "d/s10_b1.png", "d/s2_b1.png", "d/s2_b0.png", "d/one.tif")
    assert found(["d"]) == {
        "one": ("LC", ["one.tif"]),
        "s2": ("LC", ["s2_b0.png", "s2_b1.png"]),
        "s10": ("LC", ["s10_b0.png", "s10_b1.png"]),
    }
    assert list(found(["d"])) == ["one", "s2", "s10"]
    assert sorted(["a10", "a9b", "b1", "a²"], key=natural_key) == ["a9b", "a10", "a²", "b1"]


def test_a_data_set_is_read_without_its_masks(tree):
    tree(
        "DATA/LC/test/good/a_b0.png",
        "DATA/LC/test/dent/a_b0.png",
        "DATA/LC/test/dent/a_b0_mask.png",
        "DATA/LC/ground_truth/dent/a_mask.png",
        "DATA/SC/test/good/a_b0.png",
        "DATA/SC/test/good/anim.gif",
        "DATA/SC/.hidden/b.png",
    )
    samples = found(["DATA"], ("LC", "SC"))
    assert {name: part for name, (part, _) in samples.items()} == {
        "LC/test/dent/a": "LC",
        "LC/test/good/a": "LC",
        "SC/test/good/a": "SC",
    }
    remarks = find_inputs(["DATA"], ("LC", "SC")).remarks
    assert "2 files in folders of masks are left out" in remarks[0]
    assert "anim.gif: left out" in remarks[0]


def test_the_part_is_told_by_flag_folder_manifest_or_detector(tree):
    tree("line/x.png", "SC/day/y.png")
    assert found(["line"], ("LC",))["x"][0] == "LC"
    assert found(["SC/day"], ("LC", "SC"))["y"][0] == "SC"  # by a folder above
    assert found(["line"], ("LC", "SC"), "LC")["x"][0] == "LC"
    with pytest.raises(ConfigError, match=r"line/x\.png: which part is it\? .*LC, SC; add --part"):
        find_inputs(["line"], ("LC", "SC"))
    with pytest.raises(ConfigError, match="part OD: this detector knows LC, SC"):
        find_inputs(["line"], ("LC", "SC"), "OD")
    both = find_inputs(["line", "SC/day/y.png"], ("LC", "SC"), "LC")
    assert [one.sample.title for one in both.samples] == ["x"]
    assert both.remarks == ("1 samples of other parts are left out",)


def test_a_manifest_needs_b0_only(tree):
    root = tree("pictures/a0.png", "pictures/a1.png", "pictures/b0.png")
    (root / "list.csv").write_text(
        "sample;part;b0;b1;shift\n가;LC;pictures/a0.png;pictures\\a1.png;2\n"
        ";;pictures/b0.png;;\nc;SC;pictures/gone.png;;\n"
    )
    inputs = find_inputs(["list.csv"], ("LC", "SC"), "SC")
    assert inputs.remarks == ("1 samples of other parts are left out",)
    by_name = {one.sample.title: one for one in inputs.samples}
    assert list(by_name) == ["b0", "c"]
    assert "line 4: pictures/gone.png does not exist" in by_name["c"].flaw.reason
    assert found(["list.csv"], ("LC",), "LC")["가"] == ("LC", ["a0.png", "a1.png"])
    with pytest.raises(ConfigError, match=r"line 2: part LC; this detector knows OD"):
        find_inputs(["list.csv"], ("OD",))
    (root / "manifest.csv").write_text("part,file\nLC,x\n")
    with pytest.raises(DataError, match="lacks the column b0"):
        find_inputs(["."], ("LC",))


def test_patterns_and_single_files_are_paired_together(tree):
    root = tree("d/a_b0.png", "d/a_b1.png", "d/b_b0.png", "d/mask/a.png", "d/x.gif")
    assert found(["d/*.*"]) == {
        "a": ("LC", ["a_b0.png", "a_b1.png"]),
        "b": ("LC", ["b_b0.png"]),
    }
    assert list(found([f"{root}/**/*_b1.png"])) == ["a"]
    tree("e/a_b0.png")
    assert list(found(["d/a_b0.png", f"{root}/e/a_b0.png"])) == ["d/a", "e/a"]
    inputs = find_inputs(["d/a_b0.png", "d/a_b1.png", "d/mask/a.png", "d/a_b0.png"], ("LC",))
    assert len(inputs.samples) == 1
    assert inputs.remarks == ("1 files in folders of masks are left out",)


def test_names_that_stand_for_nothing_are_one_line_each_and_the_others_are_judged(tree):
    tree("d/a.png", "empty/notes.txt")
    os.mkfifo("pipe.png")
    inputs = find_inputs(["d", "empty", "gone.png", "none-*.png", "pipe.png"], ("LC",))
    assert [one.sample.title for one in inputs.samples] == ["a", "pipe"]
    assert [line.partition(":")[0] for line in inputs.problems] == [
        "empty",
        "gone.png",
        "none-*.png",
    ]
    with pytest.raises(DataError, match=r"^none-\*\.png: no file matches this pattern$"):
        find_inputs(["none-*.png"], ("LC",))
    with pytest.raises(DataError, match=r"^empty: holds no image"):
        find_inputs(["empty"], ("LC",))


def test_an_empty_name_and_a_link_to_nothing_are_said(tree):
    root = tree("d/a.png")
    (root / "d" / "b.png").symlink_to(root / "gone.png")
    inputs = find_inputs(["d", ""], ("LC",))
    assert [one.sample.title for one in inputs.samples] == ["a"]
    assert inputs.problems == (
        "d/b.png: is no file; a link to nothing?",
        "an empty name: stands for no picture",
    )


def test_a_reader_of_another_layout_is_used(tree, monkeypatch):
    from bearing_search.data.readers import DATA_READERS, DataReader
    from bearing_search.data.samples import Sample

    root = tree("set/list.voc", "set/p.png")
    sample = Sample(
        part="LC",
        split="test",
        defect="good",
        name="p",
        group="p",
        is_anomalous=False,
        level_files=(root / "set" / "p.png",),
    )
    reader = DataReader(
        wanted="list.voc",
        recognises=lambda folder: (folder / "list.voc").exists(),
        read=lambda folder: [sample],
    )
    monkeypatch.setitem(DATA_READERS, "voc", reader)
    assert found(["set"]) == {"p": ("LC", ["p.png"])}


def test_the_size_of_every_page_is_read_from_its_header(tmp_path, monkeypatch):
    file, other = tmp_path / "a.tif", Image.new("L", (120, 90))
    Image.new("L", (40, 30)).save(file, save_all=True, append_images=[other])
    assert page_sizes(file) == [(40, 30), (120, 90)]
    assert size_flaw(file) == ""
    monkeypatch.setattr("bearing_search.prediction.pixel_limit.MOST_PIXELS", 10_000)
    assert "120x90 px, above" in size_flaw(file)
    (tmp_path / "b.tif").write_bytes(b"II*\0")
    assert page_sizes(tmp_path / "b.tif") == []
