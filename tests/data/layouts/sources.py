"""Tiny data sets in the layouts of public sets and labelling tools; pictures are drawn here.

Every picture is 40x32; every defect is the box of x 12..17, y 10..14: 30 pixels.
"""

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

BOX = np.zeros((32, 40), bool)
BOX[10:15, 12:18] = True
OUTLINE = [[12, 10], [17, 10], [17, 14], [12, 14]]


def picture(file: Path, value=100) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.full((32, 40), value, np.uint8))
    return file


def mask(file: Path, marked=BOX, value=255) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), marked.astype(np.uint8) * value)
    return file


def mvtec_ad(root: Path) -> None:
    picture(root / "bottle/train/good/000.png")
    picture(root / "bottle/test/good/000.png")
    picture(root / "bottle/test/broken/000.png")
    mask(root / "bottle/ground_truth/broken/000_mask.png")


def mpdd(root: Path) -> None:
    picture(root / "tubes/train/good/000.png")
    picture(root / "tubes/test/good/001.png")
    picture(root / "tubes/test/anomalous/000.png")
    mask(root / "tubes/ground_truth/anomalous/000_mask.png")


def mvtec_ad_2(root: Path) -> None:
    """Train under one light, test under two: pictures of one object are one group."""
    picture(root / "can/train/good/000_regular.png")
    picture(root / "can/validation/good/000_regular.png")
    for light in ("regular", "overexposed"):
        picture(root / f"can/test_public/good/000_{light}.png")
        picture(root / f"can/test_public/bad/000_{light}.png")
        mask(root / f"can/test_public/ground_truth/bad/000_{light}_mask.png")
    picture(root / "can/test_private/000_regular.png")


def mvtec_ad_2_lights(root: Path) -> None:
    """Every object under the same three lights: they are its levels."""
    for light, value in (("underexposed", 40), ("regular", 100), ("overexposed", 200)):
        picture(root / f"can/train/good/000_{light}.png", value)
        picture(root / f"can/test_public/bad/000_{light}.png", value)
        mask(root / f"can/test_public/ground_truth/bad/000_{light}_mask.png")


def mvtec_loco(root: Path) -> None:
    picture(root / "box/train/good/000.png")
    picture(root / "box/validation/good/000.png")
    picture(root / "box/test/good/000.png")
    picture(root / "box/test/logical_anomalies/000.png")
    mask(root / "box/ground_truth/logical_anomalies/000/000.png", BOX & (np.arange(40) < 15))
    mask(root / "box/ground_truth/logical_anomalies/000/001.png", BOX & (np.arange(40) >= 15), 254)


def visa(root: Path) -> None:
    lines = ["object,split,label,image,mask"]
    for split, number in (("train", 0), ("test", 1)):
        lines.append(f"candle,{split},normal,candle/Data/Images/Normal/{number:04}.JPG,")
        picture(root / f"candle/Data/Images/Normal/{number:04}.JPG")
    lines.append(
        "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png"
    )
    picture(root / "candle/Data/Images/Anomaly/000.JPG")
    mask(root / "candle/Data/Masks/Anomaly/000.png", value=2)
    for name in ("1cls", "2cls_fewshot"):
        (root / "split_csv").mkdir(exist_ok=True)
        (root / f"split_csv/{name}.csv").write_text("\n".join(lines) + "\n")


def btad(root: Path) -> None:
    picture(root / "01/train/ok/0000.bmp")
    picture(root / "01/test/ok/0000.bmp")
    picture(root / "01/test/ko/0000.bmp")
    mask(root / "01/ground_truth/ko/0000.png")


def kolektorsdd2(root: Path) -> None:
    for split, number, is_anomalous in (
        ("train", 1, False), ("train", 2, True), ("test", 3, False), ("test", 4, True),
    ):  # fmt: skip
        picture(root / split / f"1000{number}.png")
        mask(root / split / f"1000{number}_GT.png", BOX & is_anomalous)


def dagm(root: Path) -> None:
    for side, number in (("Train", 575), ("Train", 576), ("Test", 1), ("Test", 2)):
        picture(root / f"Class1/{side}/{number:04}.PNG")
        if number % 2 == 0:
            mask(root / f"Class1/{side}/Label/{number:04}_label.PNG")
    (root / "Class1/Train/Label/Labels.txt").write_text("1\n")


def real_iad(root: Path) -> None:
    def entry(kind: str, number: int, view: int) -> dict:
        label = "OK" if kind == "OK" else "NG"
        stem = f"switch_{number:04}_{label}_{kind}_C{view}_20231028"
        picture(root / f"realiad_1024/switch/{kind}/S{number:04}/{stem}.jpg")
        has_mask = kind != "OK" and view == 1
        if has_mask:
            mask(root / f"realiad_1024/switch/{kind}/S{number:04}/{stem}_mask.png")
        return {
            "category": "switch",
            "anomaly_class": kind,
            "image_path": f"{kind}/S{number:04}/{stem}.jpg",
            "mask_path": f"{kind}/S{number:04}/{stem}_mask.png" if has_mask else None,
        }

    content = {
        "meta": {"normal_class": "OK", "prefix": "switch/"},
        "train": [entry("OK", 1, 1), entry("OK", 1, 2)],
        "test": [entry("OK", 2, 1), entry("AK", 3, 1), entry("AK", 3, 2)],
    }
    for name in ("realiad_jsons", "realiad_jsons_sv"):
        (root / name).mkdir()
        (root / name / "switch.json").write_text(json.dumps(content))


def ok_ng(root: Path) -> None:
    for number in range(10):
        picture(root / f"PLATE/OK/n{number}.png")
        picture(root / f"PLATE/NG/dent/d{number}.png")
        mask(root / f"PLATE/masks/dent/d{number}.png")


def labelme(root: Path) -> None:
    window = cv2.imencode(".png", np.full((5, 6), 1, np.uint8))[1].tobytes()
    shapes: list[dict[str, Any]] = [
        {"shape_type": "polygon", "points": OUTLINE},
        {"shape_type": "rectangle", "points": [[18, 15], [12, 10]]},
        {
            "shape_type": "mask",
            "points": [[12, 10], [17, 14]],
            "mask": base64.b64encode(window).decode(),
        },
        {"points": OUTLINE},  # old files name no type
    ]
    for number, shape in enumerate(shapes):
        picture(root / f"d{number}.jpg")
        line = {"label": "edge", "shape_type": "line", "points": [[0, 0], [9, 9]]}
        content = {
            "shapes": [{"label": "dent", **shape}, line],
            "imagePath": f"..\\elsewhere\\d{number}.jpg",
            "imageData": None,
            "imageHeight": 32,
            "imageWidth": 40,
        }
        (root / f"d{number}.json").write_text(json.dumps(content))
    for number in range(6):
        picture(root / f"n{number}.jpg")


def coco(root: Path) -> None:
    """Roboflow's folders; an outline, plain runs, compressed runs (of pycocotools) and a box."""
    runs = np.flatnonzero(np.diff(BOX.T.ravel().astype(int), prepend=0)).tolist()
    counts = np.diff([0, *runs, BOX.size]).tolist()
    forms: list[dict[str, Any]] = [
        {"segmentation": [[x for corner in OUTLINE for x in corner]]},
        {"segmentation": {"size": [32, 40], "counts": counts}},
        {"segmentation": {"size": [32, 40], "counts": "Z<5k0000000000fe0"}},
        {"segmentation": [], "bbox": [12, 10, 6, 5]},
    ]
    for side, offset in (("train", 0), ("test", 2)):
        images: list[dict[str, Any]] = [
            {"id": number, "file_name": f"{side}{number}.jpg"} for number in range(3)
        ]
        for image in images:
            picture(root / side / image["file_name"])
        marked = [
            {"id": number, "image_id": number, "category_id": 7, **forms[offset + number]}
            for number in range(2)
        ]
        content = {
            "images": images,
            "annotations": marked,
            "categories": [{"id": 7, "name": "dent"}],
        }
        (root / side / "_annotations.coco.json").write_text(json.dumps(content))


def cvat_xml(root: Path) -> None:
    corners = ";".join(f"{x}.0,{y}.0" for x, y in OUTLINE)
    shapes = [
        f'<polygon label="dent" points="{corners}"/>',
        '<box label="dent" xtl="12" ytl="10" xbr="18" ybr="15"/>',
        '<mask label="dent" rle="9,6,2,6,2,6,2,6,2,6,9" left="11" top="9" width="8" height="7"/>',
    ]
    lines = []
    for number, shape in enumerate([*shapes, *[""] * 4, '<tag label="ok"/>']):
        picture(root / f"images/p{number}.png")
        lines.append(f'<image id="1" name="p{number}.png" width="40" height="32">{shape}</image>')
    (root / "annotations.xml").write_text(
        f"<?xml version='1.0'?><annotations>{''.join(lines)}</annotations>"
    )


def cvat_masks(root: Path) -> None:
    """The background is coloured, as older versions export it."""
    (root / "labelmap.txt").write_text("# label:color_rgb\nbackground:0,128,0::\ndent:250,5,5::\n")
    for number in range(8):
        picture(root / f"images/p{number}.png")
        classes = np.full((32, 40, 3), (0, 128, 0), np.uint8)
        classes[BOX & (number < 4)] = (5, 5, 250)  # BGR
        file = root / f"SegmentationClass/p{number}.png"
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), classes)


def sagemaker(root: Path) -> None:
    for side in ("train", "test"):
        lines = []
        for kind in ("normal", "anomaly"):
            picture(root / f"images/{side}-{kind}.jpg")
            line = {
                "source-ref": f"s3://bucket/project/images/{side}-{kind}.jpg",
                "anomaly-label": 1,  # AWS's own example has 1 for both
                "anomaly-label-metadata": {"class-name": kind},
            }
            if kind == "anomaly":
                colours = np.full((32, 40, 3), 255, np.uint8)
                colours[BOX] = (44, 160, 44)
                (root / "masks").mkdir(exist_ok=True)
                cv2.imwrite(str(root / f"masks/{side}.png"), colours)
                line["anomaly-mask-ref"] = f"s3://bucket/masks/{side}.png"
                line["anomaly-mask-ref-metadata"] = {
                    "internal-color-map": {
                        "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"},
                        "1": {"class-name": "scratch", "hex-color": "#2ca02c"},
                    }
                }
            lines.append(json.dumps(line))
        (root / f"{side}.manifest").write_text("\n".join(lines) + "\n")
