"""Predictions of a fold, and every metric of them; no torch.

Axis letters: n samples, f brightness images that have a separate map, k layers, h w rows and
columns of the detector's grid, m side of the map in pixels.
"""

from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from bearing_search.config import PostprocessConfig, ProtocolConfig
from bearing_search.evaluation.anomaly_maps import PostprocessSpec, anomaly_maps
from bearing_search.evaluation.metrics import (
    MissedRegions,
    PreparedScores,
    score,
    trivial_floor,
)
from bearing_search.evaluation.scored_region import aupro_inside, regions_outside


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

    has_mask: Bool[np.ndarray, " n"] | None = None
    """Whether the pixels of each sample are labelled; False for anomalous samples without a mask.
    None, as in files of before it was stored: all are."""

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
            has_mask=None if self.has_mask is None else self.has_mask[kept],
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
            self.labelled(self.maps),
            self.labelled(self.scored_masks),
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
            self.labelled(self.maps),
            self.labelled(self.scored_masks),
            self.labelled(self.region),
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
                by_sample=self.missed_by_sample.tolist(),
                without_map=self.unreachable_regions,
                is_unknown=self.is_unmasked.tolist(),
            ),
        )

    def floor(self, protocol: ProtocolConfig) -> dict[str, float]:
        """Every metric of a constant score."""
        return trivial_floor(
            self.labelled(self.scored_masks),
            self.is_anomalous,
            fpr_limit=protocol.fpr_limit,
            missed_regions=self.missed_regions,
        )

    @property
    def is_unmasked(self) -> Bool[np.ndarray, " n"]:
        """Which samples are anomalous without a mask."""
        return np.zeros_like(self.is_anomalous) if self.has_mask is None else ~self.has_mask

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

    @property
    def lacks_pixel_labels(self) -> bool:
        """Whether there are anomalous samples, none of which has a mask."""
        is_unmasked = self.is_unmasked
        return bool(is_unmasked.any() and (is_unmasked == self.is_anomalous).all())

    def labelled(self, arrays: Shaped[np.ndarray, "n m m"]) -> Shaped[np.ndarray, "p m m"]:
        """The rows of the samples whose pixels are labelled."""
        is_unmasked = self.is_unmasked
        return arrays[~is_unmasked] if is_unmasked.any() else arrays
