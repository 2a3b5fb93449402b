"""Measure what scoring inside the region of interest only is worth, on the folds of a trial.

`rings PHOTOGRAPHS OUT SEED` draws one dent on each photographed ring, in its own pixels; `pool
DEMO` makes all samples of a rendered demo set training samples. Train on either (`train CONFIG
--data`), then `score TRIAL...`: each margin against none, and the margin that other folds choose.
"""

import csv
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bearing_search.analysis.comparison import difference_intervals, score_intervals
from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.postprocess_search import nested_selection
from bearing_search.analysis.postprocess_settings import map_settings, rendered
from bearing_search.config import ProtocolConfig
from bearing_search.data.drawn_defects import DefectSizes, random_defect
from bearing_search.evaluation.metrics import aupro, auroc
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.evaluation.predictions import Predictions

PROTOCOL = ProtocolConfig()
METRICS = ("image_auroc", "pixel_ap", "pixel_aupro")
MARGINS: dict[str, dict[str, Any]] = {
    "0, 0": {"margin_px": 0.0},
    "16, 0": {"margin_px": 16.0, "inner_margin_px": 0.0},
    "16, 16": {"margin_px": 16.0},
    "32, 0": {"margin_px": 32.0, "inner_margin_px": 0.0},
    "untouched": {"margin_px": 0.0, "leave_out_masked_patches": True},
}
SIDES_PX = (8.0, 40.0)
FROM_EDGE_PX = 6
Folds = Mapping[str, Predictions]


def pool(root: Path) -> None:
    """Write a manifest by which all rings of a rendered demo set are training samples."""
    rows = [["part", "split", "label", "defect", "sample", "b0", "b1", "b2", "mask"]]
    for part in ("LC", "SC"):
        for first in sorted(root.glob(f"{part}/t*/*/*_b0.png")):
            kind, name = first.parent.name, first.name.removesuffix("_b0.png")
            masks = list((root / part / "ground_truth" / kind).glob(f"{name}*"))
            label = "anomalous" if masks else "normal"
            levels = [str(first.relative_to(root)).replace("_b0", f"_b{i}") for i in range(3)]
            mask = str(masks[0].relative_to(root)) if masks else ""
            rows.append([part, "train", label, kind, name, *levels, mask])
    _write(root, rows)


def rings(source: Path, root: Path, seed: int) -> None:
    """Copy each photographed ring, once as it is and once with a dent between its two circles."""
    circles = json.loads((source / "circles.json").read_text(encoding="utf-8"))
    rows = [["part", "split", "label", "defect", "sample", "group", "b0", "mask"]]
    for part, view in (("LC", "top"), ("SC", "bottom")):
        for file in sorted((source / view).glob("*.png")):
            name, found = file.stem, circles[f"{view}/{file.name}"]
            image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            assert image is not None
            outer, inner = found["outer"], found["inner"]
            rng = np.random.default_rng((seed, int(name), part == "LC"))
            radius = rng.uniform(inner["r"] + FROM_EDGE_PX, outer["r"] - FROM_EDGE_PX)
            angle = rng.uniform(0, 2 * math.pi)
            x = round(outer["cx"] + radius * math.cos(angle))
            y = round(outer["cy"] + radius * math.sin(angle))
            dent = random_defect(
                DefectSizes(range_px=SIDES_PX),
                (x, y),
                shorter_px=min(image.shape),
                seed=(seed, int(name), part == "LC"),
            )
            rows_of, columns_of = np.mgrid[: image.shape[0], : image.shape[1]]
            distance = np.hypot(columns_of - outer["cx"], rows_of - outer["cy"])
            mask = dent.mask(image.shape) & (distance < outer["r"]) & (distance > inner["r"])
            marked = np.where(mask, dent.on([image])[0], image)
            pictures = {"good": image, "dent": marked, "mask": mask.astype(np.uint8) * 255}
            for kind, picture in pictures.items():
                (root / part / kind).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(root / part / kind / f"{name}.png"), picture)
            here = [f"{part}/{kind}/{name}.png" for kind in pictures]
            rows.append([part, "train", "normal", "good", f"g{name}", name, here[0], ""])
            rows.append([part, "train", "anomalous", "dent", f"d{name}", name, here[1], here[2]])
    _write(root, rows)


def score(trial: Path) -> None:
    """Print the figures of each part of a trial, and of all parts."""
    whole = fold_predictions(trial)
    parts = sorted({key.split("/")[0] for key in whole})
    for part in parts:
        folds = {key: found for key, found in whole.items() if key.startswith(f"{part}/")}
        print(f"{trial.name} {part}: {', '.join(METRICS)}, inside; regions missed; gains")
        print(f"  none: {_values(folds)}")
        for name, margin in MARGINS.items():
            other = {
                key: found.with_postprocess(replace(found.rendering.postprocess, **margin))
                for key, found in folds.items()
            }
            print(f"  {name}: {_values(other)}; {_compared(other, folds)}")
        _chosen(folds)
    if len(parts) > 1:
        _chosen(whole)


def _chosen(folds: Folds) -> None:
    """Print the margin chosen by either metric, and the gain of those that other folds choose."""
    settings = map_settings(*folds.values())
    before = settings[0]
    tried = [
        one
        for one in settings
        if one == before
        or (
            one.postprocess.margin_px is not None
            and one.postprocess.smoothing_sigma_px == before.postprocess.smoothing_sigma_px
        )
    ]
    made = [{key: rendered(found, one) for key, found in folds.items()} for one in tried]
    for metric in ("image_auroc", "pixel_aupro"):
        of = auroc_of if metric == "image_auroc" else aupro_of
        table = np.array([[of(found) for found in row.values()] for row in made])
        best, choice = nested_selection(table, list(folds))
        ours = {key: made[row][key] for key, row in choice.items()}
        name = tried[best].difference(before) or "none"
        print(f"  chosen by {metric} of {len(tried)}: {name}; {_compared(ours, folds)}")


def auroc_of(found: Predictions) -> float:
    """Image AUROC of a fold."""
    return auroc(found.image_scores, found.is_anomalous)


def aupro_of(found: Predictions) -> float:
    """Pixel AUPRO of a fold, over the whole crop."""
    return aupro(
        found.maps,
        found.scored_masks,
        fpr_limit=PROTOCOL.fpr_limit,
        missed_regions=found.missed_regions,
    )


def _values(folds: Folds) -> str:
    found = score_intervals(folds, PROTOCOL)
    inside = [f.inside_metrics(PROTOCOL).get("pixel_aupro_inside", np.nan) for f in folds.values()]
    return ", ".join(f"{found[n].value:.3f}" for n in METRICS) + f", {np.mean(inside):.3f}"


def _compared(ours: Folds, theirs: Folds) -> str:
    gains = difference_intervals(ours, theirs, PROTOCOL)
    missed = sum(ours[key].missed_regions - theirs[key].missed_regions for key in ours)
    return f"{missed}; " + ", ".join(_text(gains[name]) for name in METRICS)


def _text(gain: Interval) -> str:
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def _write(root: Path, rows: list[list[str]]) -> None:
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    if command == "pool":
        pool(Path(words[0]))
    elif command == "rings":
        rings(Path(words[0]), Path(words[1]), int(words[2]))
    else:
        for word in words:
            score(Path(word))
