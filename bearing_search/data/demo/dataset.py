"""Renders a whole bearing data set: files, masks, manifest and the true outlines.

Everything is written into a folder with a temporary name, which is renamed once it is complete, so
that an interrupted rendering is never mistaken for a finished one.
"""

import csv
import json
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from bearing_search.data.demo.dents import Kind
from bearing_search.data.demo.parts import Rendered, kind_of, render
from bearing_search.data.samples import GOOD, Split
from bearing_search.errors import DataError

Scale = Literal["small", "paper"]

PAPER_COUNTS: dict[str, dict[Split, tuple[int, int]]] = {
    "LC": {"train": (30, 6), "test": (7, 23)},
    "SC": {"train": (94, 7), "test": (24, 29)},
    "OD": {"train": (38, 12), "test": (9, 46)},
}
"""Table 1 of the paper: normal and anomalous samples."""

MIN_TRAIN_ANOMALOUS = 4
"""Per part of the small set: each of two folds needs anomalous groups."""

VIEWS_PER_RING = 6
"""Maximum number of views of one ring in OD: the paper photographs it every 60 degrees."""

MANIFEST_COLUMNS = (
    "part",
    "split",
    "label",
    "defect",
    "sample",
    "group",
    "b0",
    "b1",
    "b2",
    "mask",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A sample before it is rendered."""

    part: str
    split: Split
    defect: Kind | None
    name: str
    group: str
    seeds: tuple[int, ...]
    ring_seeds: tuple[int, ...]


def render_demo_set(
    directory: Path,
    *,
    scale: Scale,
    seed: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Render the demo set into a new folder. The same seed gives the same bytes.

    Args:
        directory: must not exist yet.
        scale: `paper` has the counts of the paper's Table 1, `small` a fifth of them, rounded up.
        seed: of everything random.
        on_progress: called with the number of samples done and their total.

    Raises:
        DataError: the folder exists, or cannot be written.
    """
    if directory.exists():
        raise DataError(f"{directory}: exists already. Name a new folder, or remove this one.")
    unfinished = directory.with_name(f".{directory.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    planned = list(plan(scale, seed))
    try:
        unfinished.mkdir(parents=True)
        rows, truth = [], {}
        for done, sample in enumerate(planned):
            on_progress(done, len(planned))
            row, outline = _write(unfinished, sample)
            rows.append(row)
            truth[f"{sample.part}/{sample.split}/{row['defect']}/{sample.name}"] = outline
        _write_manifest(unfinished / "manifest.csv", rows)
        facts = {"scale": scale, "seed": seed, "outlines": truth}
        (unfinished / "truth.json").write_text(json.dumps(facts, indent=1) + "\n")
        unfinished.rename(directory)
        on_progress(len(planned), len(planned))
    except OSError as error:
        raise DataError(f"{directory}: the demo set cannot be written ({error.strerror})") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def counts(scale: Scale) -> dict[str, dict[Split, tuple[int, int]]]:
    """Normal and anomalous samples of each part and split."""
    if scale == "paper":
        return PAPER_COUNTS
    fewer: dict[str, dict[Split, tuple[int, int]]] = {}
    for part, splits in PAPER_COUNTS.items():
        fewer[part] = {}
        for split, (normal, anomalous) in splits.items():
            least = MIN_TRAIN_ANOMALOUS if split == "train" else 1
            fewer[part][split] = (
                math.ceil(normal / 5),
                max(least, math.ceil(anomalous / 5)),
            )
    return fewer


def plan(scale: Scale, seed: int) -> Iterator[Planned]:
    """Every sample with its ring, in a fixed order."""
    for part_index, (part, splits) in enumerate(counts(scale).items()):
        for split_index, (split, (normal, anomalous)) in enumerate(splits.items()):
            rings = _rings(part, normal, anomalous)
            # one folder holds the masks of both splits, so names are unique within a part
            first = sum(splits["train"]) if split == "test" else 0
            for index, ring in enumerate(rings):
                group = f"{part}-{split}-{ring:03d}"
                yield Planned(
                    part=part,
                    split=split,
                    defect=None if index < normal else kind_of(index - normal),
                    name=f"{part.lower()}{first + index:03d}",
                    group=group,
                    seeds=(seed, part_index, split_index, 0, index),
                    ring_seeds=(seed, part_index, split_index, 1, ring),
                )


def _rings(part: str, normal: int, anomalous: int) -> list[int]:
    """Which ring each sample shows, normal samples first.

    End faces have one view each. A raceway has up to six: a dented ring shows its dent in one or
    two of them, and is normal in others.
    """
    if part != "OD":
        return list(range(normal + anomalous))
    dented = math.ceil(0.6 * anomalous)
    of_anomalous = [index % dented for index in range(anomalous)]
    room = [VIEWS_PER_RING - of_anomalous.count(ring) for ring in range(dented)]
    shared = min(normal // 3, sum(min(1, r) for r in room))
    of_normal = list(range(shared))
    alone = normal - shared
    views = 4 if alone > 4 else math.ceil(alone / 2)  # two rings if there are two samples
    of_normal += [dented + index // views for index in range(alone)]
    return of_normal + of_anomalous


def _write(root: Path, sample: Planned) -> tuple[dict[str, str], dict[str, Any]]:
    defect = sample.defect or GOOD
    rendered = render(
        sample.part,
        sample.defect,
        ring_rng=np.random.default_rng(sample.ring_seeds),
        rng=np.random.default_rng(sample.seeds),
    )
    folder = Path(sample.part) / sample.split / defect
    files = [folder / f"{sample.name}_b{level}.png" for level in range(3)]
    for file, image in zip(files, rendered.levels, strict=True):
        _write_png(root / file, image)
    mask = ""
    if sample.defect is not None:
        file = Path(sample.part) / "ground_truth" / defect / f"{sample.name}_mask.png"
        _write_png(root / file, rendered.mask.astype(np.uint8) * 255)
        mask = file.as_posix()
    label = "normal" if sample.defect is None else "anomalous"
    values = (
        sample.part,
        sample.split,
        label,
        defect,
        sample.name,
        sample.group,
        *(file.as_posix() for file in files),
        mask,
    )
    return dict(zip(MANIFEST_COLUMNS, values, strict=True)), _outline(rendered)


def _outline(rendered: Rendered) -> dict[str, Any]:
    pose = rendered.pose
    if pose.half_width == pose.half_height:
        return {"shape": "circle", "cx": pose.x, "cy": pose.y, "r": pose.half_width}
    return {
        "shape": "ellipse",
        "cx": pose.x,
        "cy": pose.y,
        "semi_major": pose.half_height,
        "semi_minor": pose.half_width,
        "angle_deg": (pose.tilt_deg + 90.0) % 180.0,
    }


def _write_png(file: Path, image: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    file.write_bytes(encoded.tobytes())


def _write_manifest(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, MANIFEST_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
