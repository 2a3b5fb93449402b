"""Folders, names and manifests as people have them: each row of the survey with its right answer.

Sources: the tables "Refused with a bad line" and "Silently wrong" (item 8) of the survey of inputs,
and what labelling tools write.
"""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from bearing_search.data.dataset import load_data_set
from bearing_search.data.samples import read_mask
from bearing_search.errors import DataError

HEADER = "part,split,label,sample,b0"


def write(root: Path, *names: str) -> None:
    """Pictures of 40x32; one below a folder of masks marks a corner."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((32, 40), 100, np.uint8)
        if any(word in name.lower() for word in ("ground_truth", "label", "mask", "_gt")):
            pixels[:] = 0
            pixels[:4, :5] = 255
        cv2.imwrite(str(file), pixels)


def plate(root: Path, *, mask: str = "PLATE/ground_truth/dent/p033_mask.png") -> Path:
    write(root, "PLATE/train/good/p001.png", "PLATE/train/good/p002.png")
    write(root, "PLATE/test/good/p031.png", "PLATE/test/dent/p033.png")
    if mask:
        write(root, mask)
    return root


def blank(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"not opened")


def all_in_pgm(root):
    for number in range(3):
        blank(root / f"PLATE/train/good/p{number}.xyz")
        blank(root / f"PLATE/train/good/p{number}.heic")


def capital_train(root):
    write(root, "PLATE/Train/good/p1.png", "PLATE/Test/good/p2.png")


def unread_mask(root):
    plate(root, mask="")
    blank(root / "PLATE/ground_truth/dent/p033_mask.heic")


def mask_of_another_name(root):
    plate(root, mask="PLATE/ground_truth/dent/mask_of_p033.png")


def second_mask(root):
    write(plate(root), "PLATE/ground_truth/dent/p033_mask_2.png")


def mask_of_two_suffixes(root):
    write(plate(root), "PLATE/ground_truth/dent/p033_mask.tif")


def good_written_otherwise(root):
    write(root, "PLATE/train/Good/p1.png", "PLATE/train/dent/p2.png")


def ok_and_no_good(root):
    write(root, "PLATE/train/ok/p1.png", "PLATE/test/ok/p2.png", "PLATE/test/ko/p3.png")


def no_folder_in_train(root):
    write(root, *(f"PLATE/train/p{number}.png" for number in range(4)))


def a_flat_set(root):
    write(root, *(f"{side}/p{number}.png" for side in ("train", "test") for number in range(3)))


def levels_named_exp(root):
    write(root, *(f"PLATE/train/good/p{n}_exp{level}.png" for n in range(3) for level in range(3)))


def levels_named_b(root):
    write(root, *(f"PLATE/train/good/p{n}_B{level}.png" for n in range(3) for level in range(3)))


def a_fourth_level_of_one_sample(root):
    for name in ("train/good/p1", "train/good/p2", "test/dent/p33"):
        write(root, *(f"PLATE/{name}_b{level}.png" for level in range(3)))
    write(root, "PLATE/test/dent/p33_b3.png", "PLATE/ground_truth/dent/p33_mask.png")


def manifest(text: str | bytes):
    def make(root):
        write(root, "a.png")
        content = text if isinstance(text, bytes) else text.encode()
        (root / "manifest.csv").write_bytes(content)

    return make


REFUSED = [  # what lies there, what the line says
    (all_in_pgm, r"no images found.*It holds 3 \.heic files; supported are \.bmp, "),
    (capital_train, r"PLATE/Train must be named train, in lower case"),
    (unread_mask, r"no mask.*p033_mask\.heic is there, but \.heic is not supported"),
    (mask_of_another_name, r"no mask.*ground_truth/dent holds mask_of_p033\.png"),
    (second_mask, r"PLATE/test/dent/p033: has 2 masks, dent/p033_mask\.png, dent/p033_mask_2\.png"),
    (mask_of_two_suffixes, r"has 2 masks, dent/p033_mask\.png, dent/p033_mask\.tif\. Keep one"),
    (good_written_otherwise, r"no folder good; normal samples belong in train/good"),
    (ok_and_no_good, r"BTAD.*no folder good; normal samples belong in train/good.*import"),
    (no_folder_in_train, r"4 images are in train/ itself.*put the normal ones into PLATE"),
    (a_flat_set, r"3 images are in train/ itself.*or list all in a manifest"),
    (levels_named_exp, r"names end in _exp0\.\._exp2.*levels of one sample must be named _b0"),
    (levels_named_b, r"names end in _B0\.\._B2"),
    (a_fourth_level_of_one_sample, r"p33: has 4 brightness levels \(p33_b3\.png\), 2 others"),
    (manifest("image,class\na.png,ok\n"), r"lacks the column part.*first line holds 'image,class'"),
    (manifest(""), "first line holds 'nothing'"),
    (manifest(f"{HEADER}\n"), "lists no sample"),
    (manifest(f"{HEADER},B0\nOD,train,ok,s,a.png,a.png\n"), "has two columns b0. Keep one"),
    (manifest(f"{HEADER}\nOD,train,ok,s,x\\a.png\n"), r"x\\a\.png does not.*Write / instead"),
    (manifest(f"{HEADER},b2\nOD,train,ok,s,a.png,a.png\n"), "sample s has no b1; levels start at"),
    (manifest(f"{HEADER}\nOD,train,ok,,a.png\n"), "line 2: has no sample; name it"),
    (manifest(b"part,\xff\xff\n"), r"not text in utf-8 or cp949\. In Excel, save it as"),
    (manifest(f"{HEADER}\nOD,train,ok,s,판.png\n".encode("cp949")),
     r'판\.png does not exist.*read as cp949\. In Excel, save it as "CSV UTF-8"'),
]  # fmt: skip


@pytest.mark.parametrize(("make", "says"), REFUSED)
def test_what_is_refused_says_what_was_found_and_what_to_do(tmp_path, make, says):
    make(tmp_path)
    with pytest.raises(DataError) as raised:
        load_data_set(tmp_path)
    assert re.search(says, str(raised.value))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "mask",
    [
        "ground_truth/dent/p033_mask.png",
        "ground_truth/dent/p033.png",
        "ground_truth/dent/p033_GT.bmp",
        "ground_truth/dent/p033_label.tif",
        "ground_truth/dent/p033-mask.png",
        "ground_truth/dent/p033/000.png",
        "ground_truth/test/dent/p033.png",
        "Ground_Truth/dent/p033.png",
        "masks/p033.png",
        "Label/dent/p033_label.PNG",
        "test/dent/Label/p033_label.PNG",
        "test/ground_truth/dent/p033_mask.png",
        "test/dent/p033_GT.png",
    ],
)
def test_a_mask_is_found_as_people_name_it(tmp_path, mask):
    root = plate(tmp_path, mask=f"PLATE/{mask}")
    (dent,) = (s for s in load_data_set(root).all_samples if s.is_anomalous)
    assert dent.mask_file == root / "PLATE" / mask
    assert read_mask(dent, (32, 40)).sum() == 20
    assert load_data_set(root).remarks == ()


def test_a_mask_may_be_named_after_a_level(tmp_path):
    write(tmp_path, *(f"PLATE/{name}_b{level}.png" for level in (0, 1)
                      for name in ("train/good/p1", "test/dent/p33")))  # fmt: skip
    write(tmp_path, "PLATE/ground_truth/dent/p33_b0_mask.png")
    (dent,) = load_data_set(tmp_path).samples("test")
    assert dent.mask_file.name == "p33_b0_mask.png"


def test_several_masks_of_one_picture_are_united(tmp_path):
    root = plate(tmp_path, mask="PLATE/ground_truth/dent/p033/000.png")
    second = np.zeros((32, 40), np.uint8)
    second[20:22, 30:33] = 7
    cv2.imwrite(str(root / "PLATE/ground_truth/dent/p033/001.png"), second)
    (dent,) = (s for s in load_data_set(root).all_samples if s.is_anomalous)
    assert [file.name for file in dent.mask_files] == ["000.png", "001.png"]
    assert read_mask(dent, (32, 40)).sum() == 20 + 6
    assert set(dent.mask_files) <= set(dent.files)  # digests see both


def test_a_mask_beside_a_normal_picture_is_no_sample(tmp_path):
    write(plate(tmp_path), "PLATE/train/good/p001_GT.png")
    good = load_data_set(tmp_path).samples("train")
    assert [(sample.name, len(sample.mask_files)) for sample in good] == [("p001", 1), ("p002", 0)]


def test_a_kind_of_defect_may_be_called_label(tmp_path):
    write(tmp_path, "CAN/train/good/000.png", "CAN/test/label/001.png")
    write(tmp_path, "CAN/ground_truth/label/001_mask.png")
    (sample,) = load_data_set(tmp_path).samples("test")
    assert (sample.defect, sample.name) == ("label", "001")


# ---- left out


def remarks(root: Path) -> list[str]:
    return [f"{one.severity}: {one.text}" for one in load_data_set(root).remarks]


def test_what_is_not_read_is_counted_and_named_by_folder_and_kind(tmp_path):
    root = plate(tmp_path)
    for number in range(8):
        blank(root / f"PLATE/train/good/p10{number}.heic")
    blank(root / "PLATE/train/good/notes.txt")
    write(root, "PLATE/validation/good/p300.png", "PLATE/train/good/again/p4.png")
    write(root, "PLATE/ground_truth/dent/p999_mask.png", "PLATE/train/p5.png", "spare/p6.png")
    (root / "license.txt").touch()
    (root / "PLATE/train/good/Thumbs.db").touch()
    (root / "PLATE/train/good/._p001.png").touch()

    assert sorted(remarks(root)) == [
        "warning: 1 file of PLATE/ground_truth/dent is left out (no such sample): p999_mask.png",
        "warning: 1 file of PLATE/train is left out (not in a defect folder): p5.png",
        "warning: 1 file of PLATE/train/good is left out (.txt): notes.txt",
        "warning: 1 file of PLATE/train/good/again is left out (too deep): p4.png",
        "warning: 1 file of PLATE/validation/good is left out (neither in train/ nor in test/): "
        "p300.png",
        "warning: 1 file of spare is left out (not in a part): p6.png",
        "warning: 8 files of PLATE/train/good are left out (.heic): p100.heic, p101.heic, "
        "p102.heic, p103.heic, p104.heic, ...",
    ]


def test_pipes_folders_and_dead_links_among_pictures_are_named_and_not_opened(tmp_path):
    root = plate(tmp_path)
    os.mkfifo(root / "PLATE/train/good/p050.png")
    (root / "PLATE/train/good/p051.png").symlink_to("nowhere.png")
    (root / "PLATE/train/good/p052.png").mkdir()
    assert remarks(root) == [
        "warning: 2 files of PLATE/train/good are left out (not regular files): p050.png, p051.png"
    ]


def test_masks_of_normal_samples_are_the_leak_guards(tmp_path):
    write(plate(tmp_path), "PLATE/ground_truth/good/p031_mask.png")
    assert remarks(tmp_path) == []


def test_a_link_back_to_the_set_is_not_followed_for_ever(tmp_path):
    (plate(tmp_path) / "PLATE/train/good/loop").symlink_to(tmp_path)
    assert len(load_data_set(tmp_path).all_samples) == 4
    assert remarks(tmp_path) == []


# ---- manifests

ROWS = "{0}OD{0}train{0}OK{0}s1{0}a.png\nOD{0}TEST{0}ng{0}s2{0}b.png{0}m_mask.png\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("part,split,label,sample,b0,mask\n", []),
        ("Part, SPLIT ,Label,Sample,B0,Mask\r\n", []),
        ("\ufeffpart,split,label,sample,b0,mask\n", []),
        ("part;split;label;sample;b0;mask\n", ["semicolons"]),
        ("part\tsplit\tlabel\tsample\tb0\tmask\n", ["tabs"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_manifest_is_read_as_excel_writes_it_and_check_says_so(tmp_path, content, said, encoding):
    write(tmp_path, "x/a.png", "b.png", "m_mask.png")
    sign = next(sign for sign in ";\t," if sign in content)
    rows = ["OD,train, OK,s1,x\\a.png,", "OD,TEST,ng,s2, b.png ,m_mask.png", ",,,,,", ""]
    text = content + "\n".join(row.replace(",", sign) for row in rows)
    (tmp_path / "manifest.csv").write_bytes(text.encode(encoding))

    data = load_data_set(tmp_path)

    assert [(s.split, s.is_anomalous, s.name) for s in data.all_samples] == [
        ("test", True, "s2"), ("train", False, "s1"),
    ]  # fmt: skip
    told = [remark.text for remark in data.remarks]
    if encoding != "utf-8":
        assert "manifest.csv is read as utf-" in told.pop(0)
    assert len(told) == len(said)
    assert all(text.endswith(end) for text, end in zip(told, said, strict=True))


def test_a_manifest_in_cp949_is_read_and_named(tmp_path):
    write(tmp_path, "판/가.png")
    text = f"{HEADER},operator\n판,train,normal,가,판/가.png,홍길동\n"
    (tmp_path / "manifest.csv").write_bytes(text.encode("cp949"))
    data = load_data_set(tmp_path)
    assert data.parts == ("판",)
    (remark,) = data.remarks
    assert (remark.severity, remark.text) == ("warning", "manifest.csv is read as cp949")


@pytest.mark.parametrize(
    ("label", "is_anomalous"),
    [("normal", False), ("good", False), ("OK", False), ("0", False), ("Good", False),
     ("anomalous", True), ("defective", True), ("NG", True), ("1", True)],
)  # fmt: skip
def test_labels_as_lines_write_them(tmp_path, label, is_anomalous):
    write(tmp_path, "a.png", "a_mask.png")
    line = f"OD,train,{label},s,a.png,{'a_mask.png' if is_anomalous else ''}"
    (tmp_path / "manifest.csv").write_text(f"{HEADER},mask\n{line}\n")
    (sample,) = load_data_set(tmp_path).all_samples
    assert sample.is_anomalous is is_anomalous


def test_any_number_of_levels_in_a_manifest(tmp_path):
    write(tmp_path, "a.png", "b.png", "c.png", "d.png")
    text = f"{HEADER},b1,b2,b3\nOD,train,ok,s,a.png,b.png,c.png,d.png\n"
    (tmp_path / "manifest.csv").write_text(text)
    (sample,) = load_data_set(tmp_path).all_samples
    assert [file.name for file in sample.level_files] == ["a.png", "b.png", "c.png", "d.png"]


def test_a_long_manifest_asks_the_disk_once_for_each_folder(tmp_path, monkeypatch):
    write(tmp_path, *(f"{folder}/{n}.png" for folder in "ab" for n in range(20)))
    lines = [f"OD,train,ok,{folder}{n},{folder}/{n}.png" for folder in "ab" for n in range(20)]
    (tmp_path / "manifest.csv").write_text("\n".join([HEADER, *lines]))
    asked: list[str] = []
    scandir = os.scandir

    def counted(path):
        asked.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    monkeypatch.setattr(os, "stat", None)  # asked of no picture
    from bearing_search.data.layouts.manifest import samples_of_manifest

    assert len(samples_of_manifest(tmp_path)) == 40
    assert sorted(asked) == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_an_unreadable_folder_is_one_line(tmp_path, monkeypatch):
    plate(tmp_path)
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("good"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"PLATE/train/good: cannot be read \(Permission denied\)"):
        load_data_set(tmp_path)
