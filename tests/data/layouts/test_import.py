"""Each layout, recognised, brought in, and read: labels, splits, groups, and 30 marked pixels."""

import re
from collections import Counter
from pathlib import Path

import pytest

from bearing_search.cli import main
from bearing_search.data.dataset import load_data_set
from bearing_search.data.importing.import_data_set import import_data_set
from bearing_search.data.layouts.table import LAYOUTS, layout_of
from bearing_search.data.samples import read_mask
from bearing_search.errors import DataError

from . import labelling_tools, public_sets
from .drawings import picture

CASES = [  # source, layout, part, {(split, defect): samples}
    ("mvtec_ad", "mvtec-ad", "bottle",
     {("train", "good"): 1, ("test", "good"): 1, ("test", "broken"): 1}),
    ("mpdd", "mvtec-ad", "tubes",
     {("train", "good"): 1, ("test", "good"): 1, ("test", "anomalous"): 1}),
    ("mvtec_ad_2", "mvtec-ad-2", "can",
     {("train", "good"): 2, ("test", "good"): 2, ("test", "bad"): 2}),
    ("mvtec_ad_2_lights", "mvtec-ad-2", "can",
     {("train", "good"): 1, ("test", "good"): 1, ("test", "bad"): 1}),
    ("mvtec_loco", "mvtec-loco", "box",
     {("train", "good"): 2, ("test", "good"): 1, ("test", "logical_anomalies"): 1}),
    ("visa", "visa", "candle",
     {("train", "good"): 1, ("test", "good"): 1, ("test", "anomaly"): 1}),
    ("btad", "btad", "01", {("train", "good"): 1, ("test", "good"): 1, ("test", "ko"): 1}),
    ("kolektorsdd2", "kolektorsdd2", "raw",
     {(s, d): 1 for s in ("train", "test") for d in ("good", "defect")}),
    ("dagm", "dagm", "Class1",
     {(s, d): 1 for s in ("train", "test") for d in ("good", "defect")}),
    ("real_iad", "real-iad", "switch",
     {("train", "good"): 2, ("test", "good"): 2, ("test", "AK"): 1}),
    ("ok_ng", "ok-ng", "PLATE",
     {("train", "good"): 7, ("test", "good"): 3, ("train", "dent"): 7, ("test", "dent"): 3}),
    ("labelme", "labelme", "raw",
     {("train", "good"): 4, ("test", "good"): 2, ("train", "dent"): 3, ("test", "dent"): 1}),
    ("coco", "coco", "raw",
     {("train", "good"): 1, ("test", "good"): 1, ("train", "dent"): 2, ("test", "dent"): 2}),
    ("cvat_xml", "cvat", "raw",
     {("train", "good"): 3, ("test", "good"): 2, ("train", "dent"): 2, ("test", "dent"): 1}),
    ("cvat_masks", "cvat-masks", "raw",
     {("train", "good"): 3, ("test", "good"): 1, ("train", "dent"): 3, ("test", "dent"): 1}),
    ("sagemaker", "sagemaker", "raw",
     {("train", "good"): 1, ("test", "good"): 1, ("train", "scratch"): 1, ("test", "scratch"): 1}),
]  # fmt: skip
NATIVE = ("mvtec_ad", "mpdd")
WRITERS = vars(public_sets) | vars(labelling_tools)


@pytest.fixture
def raw(tmp_path):
    """Makes a data set of a source."""

    def make(source: str) -> Path:
        root = tmp_path / "raw"
        root.mkdir()
        WRITERS[source](root)
        return root

    return make


@pytest.mark.parametrize(("source", "layout", "part", "counts"), CASES, ids=[c[0] for c in CASES])
def test_a_layout_is_recognised_brought_in_and_read(
    raw, tmp_path, capsys, source, layout, part, counts
):
    root = raw(source)
    before = sorted(root.rglob("*"))
    assert layout_of(root) == layout

    assert main(["import", str(root), "--out", str(tmp_path / "data")]) == 0

    assert LAYOUTS[layout].title in capsys.readouterr().out
    data = load_data_set(tmp_path / "data")
    assert data.parts == (part,)
    assert Counter((s.split, s.defect) for s in data.all_samples) == counts
    for sample in data.all_samples:
        assert read_mask(sample, (32, 40)).sum() == (30 if sample.is_anomalous else 0)
        assert all(file.is_relative_to(root) for file in sample.level_files)  # nothing is copied
    assert sorted(root.rglob("*")) == before  # nor is anything written there


def test_runs_are_written_as_pycocotools_writes_them():
    counts = [394, 5, 27, 5, 27, 5, 27, 5, 27, 5, 27, 5, 721]
    assert labelling_tools.compressed(counts) == "Z<5k0000000000fe0"


@pytest.mark.parametrize("source", [c[0] for c in CASES if c[0] not in NATIVE])
def test_a_data_set_that_must_be_brought_in_names_its_layout_and_the_command(
    raw, capsys, monkeypatch, tmp_path, source
):
    monkeypatch.chdir(tmp_path)
    root = raw(source)
    title = LAYOUTS[layout_of(root)].title

    assert main(["check", str(root)]) == DataError.exit_status

    told = capsys.readouterr().err
    assert f"has the layout of {title}" in told
    assert f"python -m bearing_search import {root} --out DATA" in told


@pytest.mark.parametrize("source", NATIVE)
def test_what_is_read_as_it_is_says_so_in_check(raw, source):
    remarks = load_data_set(raw(source)).remarks
    title = {"mvtec_ad": "MVTec AD", "mpdd": "MPDD"}[source]
    assert [remark.text for remark in remarks] == [f"{title}, which is read directly"]


@pytest.mark.parametrize("source", ["ok_ng", "labelme", "mvtec_loco"])
def test_the_same_data_give_the_same_bytes_again(raw, tmp_path, source):
    root, out = raw(source), tmp_path / "data"

    def contents():
        return {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}

    import_data_set(root, out)
    first = contents()
    import_data_set(root, out)
    assert contents() == first
    assert out / "manifest.csv" in first


def test_a_folder_that_holds_something_else_is_not_written_into(raw, tmp_path):
    root = raw("btad")
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").touch()
    with pytest.raises(DataError, match=r"holds chapter\.txt, not written by an import of"):
        import_data_set(root, foreign)
    with pytest.raises(DataError, match="is inside the data set"):
        import_data_set(root, root / "data")
    import_data_set(root, tmp_path / "data")
    (tmp_path / "other").mkdir()
    public_sets.btad(tmp_path / "other")
    with pytest.raises(DataError, match="not written by an import of"):
        import_data_set(tmp_path / "other", tmp_path / "data")
    assert [file.name for file in foreign.iterdir()] == ["chapter.txt"]


def test_files_below_the_manifest_are_named_relatively(tmp_path):
    public_sets.btad(tmp_path / "sets/btad")
    import_data_set(tmp_path / "sets/btad", tmp_path / "sets")
    assert "btad/01/test/ko/0000.bmp" in (tmp_path / "sets/manifest.csv").read_text().split(",")
    assert len(load_data_set(tmp_path / "sets").all_samples) == 3


def test_the_lights_of_one_object_are_levels_or_one_group(raw, tmp_path):
    import_data_set(raw("mvtec_ad_2"), tmp_path / "groups")
    bad = [s for s in load_data_set(tmp_path / "groups").samples("test") if s.is_anomalous]
    assert len({sample.group for sample in bad}) == 1
    train = load_data_set(tmp_path / "groups").samples("train")
    assert len({sample.group for sample in train}) == 2  # equal numbers, different things

    public_sets.mvtec_ad_2_lights(tmp_path / "lights")
    import_data_set(tmp_path / "lights", tmp_path / "levels")
    for sample in load_data_set(tmp_path / "levels").all_samples:
        assert [file.stem for file in sample.level_files] == [
            "000_overexposed", "000_regular", "000_underexposed",
        ]  # fmt: skip


def test_the_views_of_one_object_are_one_group(raw, tmp_path):
    import_data_set(raw("real_iad"), tmp_path / "data")
    groups = Counter(sample.group for sample in load_data_set(tmp_path / "data").all_samples)
    assert sorted(groups.values()) == [1, 2, 2]


def test_unlabelled_pictures_of_ad2_are_counted(raw, tmp_path):
    found = import_data_set(raw("mvtec_ad_2"), tmp_path / "data")
    assert "can/test_private: 1 images are left out, as they have no labels" in found.said


def test_what_is_labelled_with_a_word_for_normal_is_no_defect(raw, tmp_path):
    root = raw("coco")
    for file in root.rglob("*.json"):
        file.write_text(file.read_text().replace('"dent"', '"OK"'))
    found = import_data_set(root, tmp_path / "data")
    assert {defect for _, _, defect, _ in found.counts} == {"good"}


def test_a_kind_that_cannot_name_a_folder_stays_a_defect(raw, tmp_path):
    root = raw("coco")
    for file in root.rglob("*.json"):
        file.write_text(file.read_text().replace('"dent"', '"../."'))
    found = import_data_set(root, tmp_path / "data")
    assert {defect for _, _, defect, _ in found.counts} == {"good", "_."}


def test_a_damaged_outline_names_its_file(raw, tmp_path):
    root = raw("labelme")
    text = (root / "d0.json").read_text().replace('"points": [[', '"points": [[null, ', 1)
    (root / "d0.json").write_text(text)
    with pytest.raises(DataError, match=r"d0\.json: a shape is not usable"):
        import_data_set(root, tmp_path / "data")


def test_a_picture_that_a_list_names_and_nobody_has_is_named(raw, tmp_path):
    root = raw("sagemaker")
    (root / "images/test-2000.jpg").unlink()
    with pytest.raises(DataError, match=r"test-2000\.jpg: no such image below"):
        import_data_set(root, tmp_path / "data")


def test_two_pictures_that_fit_a_list_equally_well_are_refused(raw, tmp_path):
    root = raw("labelme")
    picture(root / "copy/d0.jpg")
    (root / "d0.json").rename(root / "label0.json")
    with pytest.raises(DataError, match="could be any of"):
        import_data_set(root, tmp_path / "data")


def test_halcons_dictionaries_are_named_as_not_read(tmp_path):
    (tmp_path / "model.hdict").write_bytes(b"\0")
    with pytest.raises(DataError, match=r"Halcon's \.hdict files, which are not supported"):
        load_data_set(tmp_path)
    with pytest.raises(DataError, match=r"Halcon's \.hdict is not supported\. Export"):
        import_data_set(tmp_path, tmp_path.parent / "data")


def test_an_unknown_layout_and_an_unknown_name_are_refused(tmp_path):
    (tmp_path / "raw").mkdir()
    picture(tmp_path / "raw/some.png")
    with pytest.raises(DataError, match=r"no layout recognised; it holds some\.png"):
        import_data_set(tmp_path / "raw", tmp_path / "data")
    with pytest.raises(
        DataError, match="--as voc: unknown layout; choose from manifest, mvtec-ad-2"
    ):
        import_data_set(tmp_path / "raw", tmp_path / "data", layout="voc")


def test_pictures_without_labels_are_normal_where_the_user_says_so(tmp_path):
    for number in range(10):
        picture(tmp_path / f"raw/top/{number}.png")
    with pytest.raises(DataError, match=r"It holds 10 images; .* --as pictures"):
        load_data_set(tmp_path / "raw")
    import_data_set(tmp_path / "raw", tmp_path / "data", layout="pictures")
    data = load_data_set(tmp_path / "data")
    assert (len(data.samples("train", "top")), len(data.samples("test", "top"))) == (7, 3)


def test_a_manifest_is_brought_in_with_its_groups(tmp_path):
    picture(tmp_path / "raw/a.png")
    header = "part,split,label,sample,group,b0"
    (tmp_path / "raw/manifest.csv").write_text(f"{header}\nOD,train,normal,a,ring7,a.png\n")
    import_data_set(tmp_path / "raw", tmp_path / "data")
    (sample,) = load_data_set(tmp_path / "data").all_samples
    assert sample.group == "ring7"


@pytest.mark.parametrize(
    ("folders", "test"),
    [
        (("OK", "NG"), 6),
        (("train/OK", "train/NG"), 6),  # a lone train is divided
        (("train/OK", "val/OK", "val/NG"), 20),  # validation serves as test
        (("train/OK", "val/OK", "test/NG"), 10),  # or joins train
    ],
)
def test_folders_of_ok_and_ng_with_and_without_splits(tmp_path, folders, test):
    for folder in folders:
        for number in range(10):
            picture(tmp_path / f"raw/{folder}/{number}.png")
    found = import_data_set(tmp_path / "raw", tmp_path / "data", layout="ok-ng")
    of_test = sum(count for _, split, _, count in found.counts if split == "test")
    assert of_test == test
    assert found.num_bare == 10


def test_a_share_of_test_is_no_choice_where_the_source_has_its_own(raw, tmp_path):
    with pytest.raises(DataError, match="has its own train and test"):
        import_data_set(raw("btad"), tmp_path / "data", test_share=0.5)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_an_impossible_share_of_test_is_refused(raw, tmp_path, share):
    with pytest.raises(DataError, match=re.escape("wanted a share between 0 and 1")):
        import_data_set(raw("ok_ng"), tmp_path / "data", test_share=share)
