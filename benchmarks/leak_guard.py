"""Plants copies in a data set, and reports how many of them the leak guard finds, and at what cost.

    python benchmarks/leak_guard.py DATA [--count 40] [--seed 0] [--against FOLDER]

Each copy of a normal training image becomes a test sample: turned (a third by quarter turns, the
rest by any angle: corners black, reflected, or cropped away), half of them mirrored, up to 6 % cut
from each side, scaled by .7 to 1.3, relit (gain .6 to 1.2, offset up to 15, gamma .8 to 1.25) and
saved as JPEG of quality 60 to 95, all at once. `found`: copies reported as leaks together with
their original. `false`: leaks between samples that are not copies of one image. `--count 0`
measures the set as it is.

`--against` runs another checkout of this project on the same set, in a process of its own.
"""

import argparse
import csv
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is done to an image."""

    angle_deg: float
    is_mirrored: bool
    canvas: str
    cut: tuple[float, ...]
    scale: float
    gain: float
    offset: float
    gamma: float
    quality: int


def change(rng: np.random.Generator) -> Change:
    """A change drawn at random."""
    is_quarter = rng.random() < 1 / 3
    return Change(
        angle_deg=90.0 * rng.integers(4) if is_quarter else rng.uniform(-180, 180),
        is_mirrored=bool(rng.random() < 0.5),
        canvas="inner" if is_quarter else str(rng.choice(["black", "reflect", "inner"])),
        cut=tuple(rng.uniform(0, 0.06, 4)),
        scale=rng.uniform(0.7, 1.3),
        gain=rng.uniform(0.6, 1.2),
        offset=rng.uniform(-15, 15),
        gamma=rng.uniform(0.8, 1.25),
        quality=int(rng.integers(60, 96)),
    )


def copied(image: np.ndarray, how: Change) -> np.ndarray:
    """A changed copy of an image, before it is saved."""
    plain = np.ascontiguousarray(image[:, ::-1]) if how.is_mirrored else image
    height, width = plain.shape[:2]
    angle = math.radians(how.angle_deg)
    tall, wide = inner(height, width, angle) if how.canvas == "inner" else (height, width)
    left, top, right, bottom = how.cut
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    size = (
        round(wide * (1 - left - right) * how.scale),
        round(tall * (1 - top - bottom) * how.scale),
    )
    middle = how.scale * np.array([wide * (0.5 - left), tall * (0.5 - top)]) - 0.5
    affine = np.zeros((2, 3))
    affine[:, :2] = how.scale * turn
    affine[:, 2] = middle - affine[:, :2] @ [(width - 1) / 2, (height - 1) / 2]
    smooth = cv2.GaussianBlur(plain, (0, 0), 0.4 / how.scale) if how.scale < 1 else plain
    border = cv2.BORDER_CONSTANT if how.canvas == "black" else cv2.BORDER_REFLECT
    moved = cv2.warpAffine(smooth, affine, size, flags=cv2.INTER_CUBIC, borderMode=border)
    relit = 255 * (moved / 255.0) ** how.gamma * how.gain + how.offset
    return np.clip(relit, 0, 255).astype(np.uint8)


def inner(height: int, width: int, angle: float) -> tuple[float, float]:
    """Height and width of the largest upright rectangle in a turned one."""
    sin, cos = abs(math.sin(angle)), abs(math.cos(angle))
    long, short = max(height, width), min(height, width)
    if short <= 2 * sin * cos * long or abs(sin - cos) < 1e-9:
        half = 0.5 * short
        return (half / cos, half / sin) if width >= height else (half / sin, half / cos)
    double = cos * cos - sin * sin
    return (height * cos - width * sin) / double, (width * cos - height * sin) / double


def plant(data: Path, out: Path, count: int, seed: int) -> dict[str, str]:
    """Write a manifest of a data set with copies; returns the title of each copy's original."""
    from bearing_search.data.dataset import load_data_set
    from bearing_search.data.samples import read_levels

    samples = load_data_set(data).all_samples
    rng = np.random.default_rng(seed)
    normals = [one for one in samples if one.split == "train" and not one.is_anomalous]
    chosen = [normals[i % len(normals)] for i in rng.permutation(max(count, len(normals)))[:count]]
    levels = max(one.num_levels for one in samples)
    originals = {}
    with (out / "manifest.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        columns = [f"b{level}" for level in range(levels)]
        rows.writerow(["part", "split", "label", "defect", "sample", "group", *columns, "mask"])
        for one in samples:
            label = "anomalous" if one.is_anomalous else "normal"
            files = [file.resolve() for file in one.level_files]
            mask = one.mask_file.resolve() if one.mask_file else ""
            rows.writerow(
                [one.part, one.split, label, one.defect, one.name, one.group, *files, mask]
            )
        for number, one in enumerate(chosen):
            how, name, files = change(rng), f"copy{number:02}", []
            for level, image in enumerate(read_levels(one)):
                files.append(out / f"{name}_{level}.jpg")
                made = copied(image, how)
                bgr = made if made.ndim == 2 else made[..., ::-1]
                cv2.imwrite(str(files[-1]), bgr, [cv2.IMWRITE_JPEG_QUALITY, how.quality])
            rows.writerow([one.part, "test", "normal", "good", name, name, *files, ""])
            originals[f"{one.part}/test/good/{name}"] = one.title
    return originals


def measure(data: Path) -> dict[str, Any]:
    """Run this process's leak guard once, with an empty cache."""
    from bearing_search.data.dataset import load_data_set
    from bearing_search.data_checks.leaks import find_leaks

    samples = load_data_set(data).all_samples
    before = cpu_s()
    with tempfile.TemporaryDirectory() as cache:
        report = find_leaks(samples, Path(cache))
    return {
        "pictures": sum(sample.num_levels for sample in samples),
        "cpu_s": cpu_s() - before,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "found": [(one.severity, one.kind, list(one.samples[:2])) for one in report.findings],
    }


def cpu_s() -> float:
    """Seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def elsewhere(checkout: Path, data: Path) -> dict[str, Any]:
    """`measure` in a process of its own, with the package of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, __file__, "--measure", str(data)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def lines(name: str, result: dict[str, Any], originals: dict[str, str]) -> Iterator[str]:
    """The result of one build as text."""
    source = {**originals, **{title: title for title in originals.values()}}
    hits, false = set(), []
    for severity, kind, pair in result["found"]:
        if severity == "leak" and kind in ("copy", "file"):
            one, other = pair
            if originals.get(one) == other or originals.get(other) == one:
                hits.add(one if one in originals else other)
            elif source.get(one, one) != source.get(other, other):
                false.append(f"{one} and {other}")
    each_ms = 1000 * result["cpu_s"] / result["pictures"]
    yield (
        f"{name:8} found {len(hits)} of {len(originals)}, false {len(false)}, "
        f"{result['cpu_s']:.1f} CPU s, {each_ms:.0f} ms for each of {result['pictures']} pictures, "
        f"{result['peak_mb']:.0f} MB"
    )
    yield from (f"  false: {pair}" for pair in false[:5])
    yield from (
        f"  missed: {title} of {originals[title]}" for title in sorted(set(originals) - hits)
    )


def main() -> None:
    """Plant, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.data)))
        return
    with tempfile.TemporaryDirectory() as folder:
        originals = plant(asked.data, Path(folder), asked.count, asked.seed)
        new = elsewhere(ROOT, Path(folder))
        print(*lines("new", new, originals), sep="\n", flush=True)
        if asked.against:
            old = elsewhere(asked.against, Path(folder))
            print(*lines("against", old, originals), sep="\n")
            print(f"{old['cpu_s'] / new['cpu_s']:.1f} times less CPU")


if __name__ == "__main__":
    main()
