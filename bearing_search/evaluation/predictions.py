"""Predictions of a fold on disk: enough to recompute any metric without torch.

Axis letters: n samples, f brightness images that have a separate map, k layers, h w rows and
columns of the detector's grid, m side of the map in pixels.
"""

import io
import json
from dataclasses import asdict, dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from bearing_search.config import PostprocessConfig, ProtocolConfig, parse
from bearing_search.evaluation.anomaly_maps import PostprocessSpec, anomaly_maps
from bearing_search.evaluation.metrics import MissedRegions, PreparedScores, score
from bearing_search.evaluation.scored_region import aupro_inside, regions_outside
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.stored_file import naming_damage

SCORED_FILE, STRESS_FILE = "scored.npz", "stress.npz"
"""Files of a fold: predictions on held-out samples, and on the stress set of a final training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions of a fold on its held-out samples."""

    distances: Float[np.ndarray, "n f k h w"]
    own_scores: Float[np.ndarray, "n f"] | None
    """Image scores computed by the detector itself; None if it computes none."""

    rendering: PostprocessSpec
    """How `maps` and `image_scores` were computed from the two above."""

    maps: Float[np.ndarray, "n m m"]
    image_scores: Float[np.ndarray, " n"]
    masks: Bool[np.ndarray, "n m m"]
    is_anomalous: Bool[np.ndarray, " n"]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    lost_regions: Int[np.ndarray, " n"]
    """Number of ground-truth regions of each sample that preprocessing cropped away."""

    unreachable_regions: int
    """Number of ground-truth regions in samples without an ROI, which have no map."""

    num_no_roi: int
    defects: tuple[str, ...] = ()
    """Kind of defect of each sample, `good` where normal; empty: not recorded."""

    roi: Bool[np.ndarray, "n m m"] | None = None
    """Region of interest of each sample; None, as in files of before it was stored: everything."""

    region: Bool[np.ndarray, "n m m"] | None = None
    """Pixels that `rendering` scores; None: all. Elsewhere `maps` has its lowest value."""

    def only(self, kept: Bool[np.ndarray, " n"]) -> "Predictions":
        """The predictions of a subset of the samples; those without an ROI belong to none."""
        return replace(
            self,
            distances=self.distances[kept],
            own_scores=None if self.own_scores is None else self.own_scores[kept],
            maps=self.maps[kept],
            image_scores=self.image_scores[kept],
            masks=self.masks[kept],
            roi=None if self.roi is None else self.roi[kept],
            region=None if self.region is None else self.region[kept],
            is_anomalous=self.is_anomalous[kept],
            groups=tuple(compress(self.groups, kept)),
            names=tuple(compress(self.names, kept)),
            defects=tuple(compress(self.defects, kept)),
            lost_regions=self.lost_regions[kept],
            unreachable_regions=0,
            num_no_roi=0,
        )

    def without_level(self, level: int) -> "Predictions":
        """The same without one of the brightness images, where each has a map of its own.

        Raises:
            ValueError: the levels share one map, or there is only this one.
        """
        if self.distances.shape[1] < 2:
            raise ValueError("the brightness levels have no maps of their own")
        own_scores = self.own_scores
        fewer = replace(
            self,
            distances=np.delete(self.distances, level, axis=1),
            own_scores=None if own_scores is None else np.delete(own_scores, level, axis=1),
        )
        return fewer.with_postprocess(self.rendering.postprocess)

    def with_postprocess(self, postprocess: PostprocessConfig) -> "Predictions":
        """The same distances with other postprocessing."""
        rendering = replace(self.rendering, postprocess=postprocess)
        rendered = anomaly_maps(self.distances, self.own_scores, rendering, self.roi)
        return replace(
            self,
            rendering=rendering,
            maps=rendered.maps,
            image_scores=rendered.image_scores,
            region=rendered.region,
        )

    def metrics(self, protocol: ProtocolConfig) -> dict[str, float]:
        """Every metric by name, and `pixel_aupro_200`."""
        return score(
            self.maps,
            self.scored_masks,
            self.image_scores,
            self.is_anomalous,
            fpr_limit=protocol.fpr_limit,
            missed_regions=self.missed_regions,
        )

    def inside_metrics(self, protocol: ProtocolConfig) -> dict[str, float]:
        """`pixel_aupro_inside` (see `scored_region.aupro_inside`); empty if all is scored."""
        if self.region is None:
            return {}
        value = aupro_inside(
            self.maps,
            self.scored_masks,
            self.region,
            fpr_limit=protocol.fpr_limit,
            missed_regions=self.missed_regions,
        )
        return {"pixel_aupro_inside": value}

    def prepared(self, protocol: ProtocolConfig) -> PreparedScores:
        """The predictions prepared for fast metrics of many resamples."""
        return PreparedScores(
            self.maps,
            self.scored_masks,
            self.image_scores,
            self.is_anomalous,
            fpr_limit=protocol.fpr_limit,
            missed=MissedRegions(
                by_sample=self.missed_by_sample.tolist(), without_map=self.unreachable_regions
            ),
        )

    @property
    def scored_masks(self) -> Bool[np.ndarray, "n m m"]:
        """Ground truth where something is scored."""
        return self.masks if self.region is None else self.masks & self.region

    @property
    def missed_by_sample(self) -> Int[np.ndarray, " n"]:
        """Number of ground-truth regions of each sample that lie wholly where nothing is scored."""
        missed: Int[np.ndarray, " n"] = self.lost_regions + regions_outside(self.masks, self.region)
        return missed

    @property
    def missed_regions(self) -> int:
        """Number of ground-truth regions that no threshold can find."""
        return int(self.missed_by_sample.sum()) + self.unreachable_regions


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
    with naming_damage(file), np.load(file, allow_pickle=False) as saved:
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
    with naming_damage(file), np.load(file, allow_pickle=False) as saved:
        labels: Bool[np.ndarray, " n"] = saved["is_anomalous"]
        return labels


def fold_predictions(folder: Path, name: str = SCORED_FILE) -> dict[str, Predictions]:
    """Fold key -> predictions, from a finished trial's files of that name."""
    return {
        file.parent.relative_to(folder).as_posix(): load_predictions(file)
        for file in sorted(folder.glob(f"*/*/{name}"))
    }
