"""Predictions of a fold on disk: enough to recompute any metric without torch."""

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bearing_search.config import parse
from bearing_search.evaluation.anomaly_maps import PostprocessSpec, anomaly_maps
from bearing_search.evaluation.predictions import Predictions
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.stored_file import naming_damage

SCORED_FILE, STRESS_FILE = "scored.npz", "stress.npz"
"""Files of a fold: predictions on held-out samples, and on the stress set of a final training."""


def save_predictions(predictions: Predictions, file: Path) -> None:
    """Write distances and masks (packed); maps are recomputed on loading."""
    buffer = io.BytesIO()
    regions = {} if predictions.roi is None else {"roi": np.packbits(predictions.roi, axis=-1)}
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        distances=predictions.distances,
        own_scores=np.empty((0, 0)) if predictions.own_scores is None else predictions.own_scores,
        rendering=np.array(json.dumps(asdict(predictions.rendering))),
        masks=np.packbits(predictions.masks, axis=-1),
        is_anomalous=predictions.is_anomalous,
        has_mask=~predictions.is_unmasked,
        groups=np.array(predictions.groups),
        names=np.array(predictions.names),
        defects=np.array(predictions.defects, dtype=str),
        lost_regions=predictions.lost_regions,
        counts=np.array([predictions.unreachable_regions, predictions.num_no_roi]),
        **regions,
    )
    write_atomically(file, buffer.getvalue())


def load_predictions(file: Path) -> Predictions:
    """Read what `save_predictions` wrote; raises DamagedFileError if it is something else."""
    with (
        naming_damage(file),
        file.open("rb") as stream,  # NumPy leaves a damaged file open
        np.load(stream, allow_pickle=False) as saved,
    ):
        rendering = parse(PostprocessSpec, json.loads(str(saved["rendering"])))
        distances, own_scores = saved["distances"], saved["own_scores"]
        kept_scores = own_scores if own_scores.size else None

        def unpacked(name: str) -> np.ndarray:
            return np.unpackbits(saved[name], axis=-1, count=rendering.map_px).astype(bool)

        roi = unpacked("roi") if "roi" in saved.files else None
        rendered = anomaly_maps(distances, kept_scores, rendering, roi)
        names = tuple(saved["names"].tolist())
        named = saved["defects"].tolist() if "defects" in saved else map(_kind_of_title, names)
        unreachable_regions, num_no_roi = (int(count) for count in saved["counts"])
        return Predictions(
            distances=distances,
            own_scores=kept_scores,
            rendering=rendering,
            maps=rendered.maps,
            image_scores=rendered.image_scores,
            masks=unpacked("masks"),
            is_anomalous=saved["is_anomalous"],
            has_mask=saved["has_mask"] if "has_mask" in saved.files else None,
            groups=tuple(saved["groups"].tolist()),
            names=names,
            defects=tuple(named),
            lost_regions=saved["lost_regions"],
            unreachable_regions=unreachable_regions,
            num_no_roi=num_no_roi,
            roi=roi,
            region=rendered.region,
        )


def _kind_of_title(title: str) -> str:
    """Kind of defect in a sample's title (`LC/test/dent/s1`), all that older files have of it."""
    pieces = title.split("/", maxsplit=3)
    return pieces[2] if len(pieces) == 4 else ""


def without_calibration(predictions: Predictions) -> tuple[Predictions, Predictions]:
    """The test samples, and the normal samples of train that were set aside and scored with them.

    Samples without an ROI count for test.
    """
    is_train = np.array([name.split("/")[1:2] == ["train"] for name in predictions.names])
    test = predictions.only(~is_train)
    lost = {name: getattr(predictions, name) for name in ("unreachable_regions", "num_no_roi")}
    return replace(test, **lost), predictions.only(is_train)


def stored_labels(file: Path) -> Bool[np.ndarray, " n"]:
    """Which samples are anomalous, of what `save_predictions` wrote, without computing maps."""
    with (
        naming_damage(file),
        file.open("rb") as stream,  # NumPy leaves a damaged file open
        np.load(stream, allow_pickle=False) as saved,
    ):
        labels: Bool[np.ndarray, " n"] = saved["is_anomalous"]
        return labels


def fold_predictions(folder: Path, name: str = SCORED_FILE) -> dict[str, Predictions]:
    """Fold key -> predictions, from a finished trial's files of that name."""
    return {
        file.parent.relative_to(folder).as_posix(): load_predictions(file)
        for file in sorted(folder.glob(f"*/*/{name}"))
    }
