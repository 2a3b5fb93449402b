"""Tiny exports of labelling tools; `num` multiplies how many pictures there are of each kind."""

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .drawings import (
    DEFECTS,
    HEIGHT,
    TEST,
    TEST_DEFECTS,
    WIDTH,
    box,
    corner,
    outline,
    picture,
)


def labelme(root: Path, num=1) -> None:
    window = cv2.imencode(".png", np.full((HEIGHT, WIDTH), 1, np.uint8))[1].tobytes()
    for number in range(4 * num):
        corners = outline(DEFECTS + number)
        x, y = corners[0]
        shapes: list[dict[str, Any]] = [
            {"shape_type": "polygon", "points": corners},
            {"shape_type": "rectangle", "points": [[x + WIDTH, y + HEIGHT], [x, y]]},
            {
                "shape_type": "mask",
                "points": [corners[0], corners[2]],
                "mask": base64.b64encode(window).decode(),
            },
            {"points": corners},  # old files name no type
        ]
        line = {"label": "edge", "shape_type": "line", "points": [[0, 0], [9, 9]]}
        content = {
            "shapes": [{"label": "dent", **shapes[number % 4]}, line],
            "imagePath": f"..\\elsewhere\\d{number}.jpg",
            "imageData": None,
            "imageHeight": 32,
            "imageWidth": 40,
        }
        picture(root / f"d{number}.jpg", DEFECTS + number)
        (root / f"d{number}.json").write_text(json.dumps(content))
    for number in range(6 * num):
        picture(root / f"n{number}.jpg", number)


def coco(root: Path, num=1) -> None:
    """Roboflow's folders; an outline, plain runs, compressed runs (of pycocotools) and a box."""
    for side, normal, defect in (("train", 0, DEFECTS), ("test", TEST, TEST_DEFECTS)):
        drawn = [*range(defect, defect + 2 * num), *range(normal, normal + num)]
        images: list[dict[str, Any]] = []
        for number, one in enumerate(drawn):
            images.append({"id": number, "file_name": f"{side}{number}.jpg"})
            picture(root / side / f"{side}{number}.jpg", one)
        marked = [
            {"id": number, "image_id": number, "category_id": 7, **coco_form(number + one, one)}
            for number, one in enumerate(drawn[: 2 * num])
        ]
        content = {
            "images": images,
            "annotations": marked,
            "categories": [{"id": 7, "name": "dent"}],
        }
        (root / side / "_annotations.coco.json").write_text(json.dumps(content))


def coco_form(form: int, number: int) -> dict[str, Any]:
    marked = box(number)
    runs = np.flatnonzero(np.diff(marked.T.ravel().astype(int), prepend=0)).tolist()
    counts = np.diff([0, *runs, marked.size]).tolist()
    forms: list[dict[str, Any]] = [
        {"segmentation": [[x for place in outline(number) for x in place]]},
        {"segmentation": {"size": [32, 40], "counts": counts}},
        {"segmentation": {"size": [32, 40], "counts": compressed(counts)}},
        {"segmentation": [], "bbox": [*corner(number), WIDTH, HEIGHT]},
    ]
    return forms[form % 4]


def compressed(counts: list[int]) -> str:
    """Run lengths as text: from the fourth on less the one before last, in groups of 5 bits."""
    text = ""
    for place, count in enumerate(counts):
        rest, more = count - (counts[place - 2] if place > 2 else 0), True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


def cvat_xml(root: Path, num=1) -> None:
    lines = []
    for number in range(8 * num):
        kind = number % 8
        drawn = DEFECTS + number if kind < 3 else number
        x, y = corner(drawn)
        corners = ";".join(f"{left}.0,{top}.0" for left, top in outline(drawn))
        runs = "9,6,2,6,2,6,2,6,2,6,9"
        shape = [
            f'<polygon label="dent" points="{corners}"/>',
            f'<box label="dent" xtl="{x}" ytl="{y}" xbr="{x + WIDTH}" ybr="{y + HEIGHT}"/>',
            f'<mask label="dent" rle="{runs}" left="{x - 1}" top="{y - 1}" width="8" height="7"/>',
            *[""] * 4,
            '<tag label="ok"/>',
        ][kind]
        picture(root / f"images/p{number}.png", drawn)
        lines.append(f'<image id="1" name="p{number}.png" width="40" height="32">{shape}</image>')
    (root / "annotations.xml").write_text(
        f"<?xml version='1.0'?><annotations>{''.join(lines)}</annotations>"
    )


def cvat_masks(root: Path, num=1) -> None:
    """The background is coloured, as older versions export it."""
    (root / "labelmap.txt").write_text("# label:color_rgb\nbackground:0,128,0::\ndent:250,5,5::\n")
    for number in range(8 * num):
        drawn = DEFECTS + number if number < 4 * num else number
        picture(root / f"images/p{number}.png", drawn)
        classes = np.full((32, 40, 3), (0, 128, 0), np.uint8)
        if drawn >= DEFECTS:
            classes[box(drawn)] = (5, 5, 250)  # BGR
        file = root / f"SegmentationClass/p{number}.png"
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), classes)


def sagemaker(root: Path, num=1) -> None:
    (root / "masks").mkdir()
    for side, normal, defect in (("train", 0, DEFECTS), ("test", TEST, TEST_DEFECTS)):
        lines = []
        for drawn in [*range(normal, normal + num), *range(defect, defect + num)]:
            name = f"{side}-{drawn}"
            picture(root / f"images/{name}.jpg", drawn)
            line: dict[str, Any] = {
                "source-ref": f"s3://bucket/project/images/{name}.jpg",
                "anomaly-label": 1,  # AWS's own example has 1 for both
                "anomaly-label-metadata": {
                    "class-name": "anomaly" if drawn >= DEFECTS else "normal"
                },
            }
            if drawn >= DEFECTS:
                colours = np.full((32, 40, 3), 255, np.uint8)
                colours[box(drawn)] = (44, 160, 44)
                cv2.imwrite(str(root / f"masks/{name}.png"), colours)
                line["anomaly-mask-ref"] = f"s3://bucket/masks/{name}.png"
                line["anomaly-mask-ref-metadata"] = {
                    "internal-color-map": {
                        "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"},
                        "1": {"class-name": "scratch", "hex-color": "#2ca02c"},
                    }
                }
            lines.append(json.dumps(line))
        (root / f"{side}.manifest").write_text("\n".join(lines) + "\n")
