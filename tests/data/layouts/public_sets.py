"""Tiny data sets in the layouts of public ones; `num` is how many pictures each kind has."""

import json
from pathlib import Path

import numpy as np

from .drawings import DEFECTS, TEST, TEST_DEFECTS, VALIDATION, box, mask, picture


def mvtec_ad(root: Path, num=1) -> None:
    for number in range(num):
        picture(root / f"bottle/train/good/{number:03}.png", number)
        picture(root / f"bottle/test/good/{number:03}.png", TEST + number)
        defect = TEST_DEFECTS + number
        picture(root / f"bottle/test/broken/{number:03}.png", defect)
        mask(root / f"bottle/ground_truth/broken/{number:03}_mask.png", box(defect))


def mpdd(root: Path, num=1) -> None:
    for number in range(num):
        picture(root / f"tubes/train/good/{number:03}.png", number)
        picture(root / f"tubes/test/good/{num + number:03}.png", TEST + number)
        defect = TEST_DEFECTS + number
        picture(root / f"tubes/test/anomalous/{number:03}.png", defect)
        mask(root / f"tubes/ground_truth/anomalous/{number:03}_mask.png", box(defect))


def mvtec_ad_2(root: Path, num=1) -> None:
    """Train under one light, test under two: pictures of one object are one group."""
    for number in range(num):
        name, defect = f"{number:03}", TEST_DEFECTS + number
        picture(root / f"can/train/good/{name}_regular.png", number)
        picture(root / f"can/validation/good/{name}_regular.png", VALIDATION + number)
        for light, value in (("regular", 100), ("overexposed", 190)):
            picture(root / f"can/test_public/good/{name}_{light}.png", TEST + number, value=value)
            picture(root / f"can/test_public/bad/{name}_{light}.png", defect, value=value)
            mask(root / f"can/test_public/ground_truth/bad/{name}_{light}_mask.png", box(defect))
    picture(root / "can/test_private/000_regular.png", TEST - 1)


def mvtec_ad_2_lights(root: Path, num=1) -> None:
    """Every object under the same three lights: they are its levels."""
    for number in range(num):
        name, defect = f"{number:03}", TEST_DEFECTS + number
        for light, value in (("underexposed", 40), ("regular", 100), ("overexposed", 190)):
            picture(root / f"can/train/good/{name}_{light}.png", number, value=value)
            picture(root / f"can/test_public/good/{name}_{light}.png", TEST + number, value=value)
            picture(root / f"can/test_public/bad/{name}_{light}.png", defect, value=value)
            mask(root / f"can/test_public/ground_truth/bad/{name}_{light}_mask.png", box(defect))


def mvtec_loco(root: Path, num=1) -> None:
    """The mask of an image is in two files, of which one has another value."""
    for number in range(num):
        picture(root / f"box/train/good/{number:03}.png", number)
        picture(root / f"box/validation/good/{number:03}.png", VALIDATION + number)
        picture(root / f"box/test/good/{number:03}.png", TEST + number)
        defect = TEST_DEFECTS + number
        picture(root / f"box/test/logical_anomalies/{number:03}.png", defect)
        masks = root / f"box/ground_truth/logical_anomalies/{number:03}"
        columns = np.arange(40) < np.flatnonzero(box(defect).any(axis=0))[3]
        mask(masks / "000.png", box(defect) & columns)
        mask(masks / "001.png", box(defect) & ~columns, 254)


def visa(root: Path, num=1) -> None:
    lines = ["object,split,label,image,mask"]
    for number in range(num):
        for split, name, first in (("train", number, 0), ("test", num + number, TEST)):
            file = f"candle/Data/Images/Normal/{name:04}.JPG"
            picture(root / file, first + number)
            lines.append(f"candle,{split},normal,{file},")
        file = f"candle/Data/Images/Anomaly/{number:03}.JPG"
        masks = f"candle/Data/Masks/Anomaly/{number:03}.png"
        picture(root / file, TEST_DEFECTS + number)
        mask(root / masks, box(TEST_DEFECTS + number), value=2)
        lines.append(f"candle,test,anomaly,{file},{masks}")
    for split in ("1cls", "2cls_fewshot"):
        (root / "split_csv").mkdir(exist_ok=True)
        (root / f"split_csv/{split}.csv").write_text("\n".join(lines) + "\n")


def btad(root: Path, num=1) -> None:
    for number in range(num):
        picture(root / f"01/train/ok/{number:04}.bmp", number)
        picture(root / f"01/test/ok/{number:04}.bmp", TEST + number)
        picture(root / f"01/test/ko/{number:04}.bmp", TEST_DEFECTS + number)
        mask(root / f"01/ground_truth/ko/{number:04}.png", box(TEST_DEFECTS + number))


def kolektorsdd2(root: Path, num=1) -> None:
    for kind, first in enumerate((0, DEFECTS, TEST, TEST_DEFECTS)):
        for number in range(first, first + num):
            stem = f"{'train' if kind < 2 else 'test'}/{10000 + number}"
            picture(root / f"{stem}.png", number)
            mask(root / f"{stem}_GT.png", box(number) & (number >= DEFECTS))


def dagm(root: Path, num=1) -> None:
    """Odd numbers are normal, even ones have a label."""
    for side, start, normal, defect in (
        ("Train", 575, 0, DEFECTS),
        ("Test", 1, TEST, TEST_DEFECTS),
    ):
        for number in range(num):
            name = start + 2 * number
            picture(root / f"Class1/{side}/{name:04}.PNG", normal + number)
            picture(root / f"Class1/{side}/{name + 1:04}.PNG", defect + number)
            label = root / f"Class1/{side}/Label/{name + 1:04}_label.PNG"
            mask(label, box(defect + number))
    (root / "Class1/Train/Label/Labels.txt").write_text("1\n")


def real_iad(root: Path, num=1) -> None:
    """Objects from two sides; a defect is seen from one of them."""

    def entry(kind: str, thing: int, view: int) -> dict:
        label = "OK" if kind == "OK" else "NG"
        stem = f"switch_{thing:04}_{label}_{kind}_C{view}_20231028"
        has_mask = kind != "OK" and view == 1
        drawn = 2 * thing + view + (TEST_DEFECTS if has_mask else 0)
        picture(root / f"realiad_1024/switch/{kind}/S{thing:04}/{stem}.jpg", drawn)
        if has_mask:
            mask(root / f"realiad_1024/switch/{kind}/S{thing:04}/{stem}_mask.png", box(drawn))
        return {
            "category": "switch",
            "anomaly_class": kind,
            "image_path": f"{kind}/S{thing:04}/{stem}.jpg",
            "mask_path": f"{kind}/S{thing:04}/{stem}_mask.png" if has_mask else None,
        }

    things = range(num)
    content = {
        "meta": {"normal_class": "OK", "prefix": "switch/"},
        "train": [entry("OK", thing, view) for thing in things for view in (1, 2)],
        "test": [
            *(entry("OK", num + thing, 1) for thing in things),
            *(entry("AK", 2 * num + thing, view) for thing in things for view in (1, 2)),
        ],
    }
    for name in ("realiad_jsons", "realiad_jsons_sv"):
        (root / name).mkdir()
        (root / name / "switch.json").write_text(json.dumps(content))


def ok_ng(root: Path, num=1) -> None:
    for number in range(10 * num):
        picture(root / f"PLATE/OK/n{number}.png", number)
        picture(root / f"PLATE/NG/dent/d{number}.png", DEFECTS + number)
        mask(root / f"PLATE/masks/dent/d{number}.png", box(DEFECTS + number))
