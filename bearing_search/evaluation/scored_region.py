"""Which pixels of a map are scored: the region of interest less a rim.

Axis letters: n samples, m side of the map in pixels, h w rows and columns of the encoder's grid.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from bearing_search.config import PostprocessConfig
from bearing_search.errors import TrialFailedError
from bearing_search.evaluation.rank_metrics import anomalous_pixels, aupro_of, overlap_gains, rank


def scored_region(
    roi: Bool[np.ndarray, "n m m"], postprocess: PostprocessConfig, grid: tuple[int, int]
) -> Bool[np.ndarray, "n m m"] | None:
    """Pixels whose value counts; None: all of them, as without `margin_px`.

    Args:
        roi: pixels in the region of interest; the border of the map is an edge as well.
        postprocess: the settings.
        grid: rows and columns of patches.

    Raises:
        TrialFailedError: nothing is left of a sample.
    """
    if postprocess.margin_px is None:
        return None
    kept = _kept(roi, postprocess, grid)
    empty = int((~kept.any(axis=(1, 2))).sum())
    if empty:
        raise TrialFailedError(
            f"postprocess.margin_px {postprocess.margin_px:g} leaves nothing of the region of "
            f"interest of {empty} of {len(kept)} samples. Lower it, or widen "
            "preprocess.circle.ring_half_width_px."
        )
    return kept


def region_sizes(
    roi: Bool[np.ndarray, "n m m"], postprocess: PostprocessConfig, grid: tuple[int, int]
) -> Int[np.ndarray, " n"]:
    """Number of pixels of each sample that `scored_region` would keep, 0 included."""
    sizes: Int[np.ndarray, " n"] = _kept(roi, postprocess, grid).sum(axis=(1, 2))
    return sizes


def outside_as_lowest(
    maps: Float[np.ndarray, "n m m"], region: Bool[np.ndarray, "n m m"] | None
) -> Float[np.ndarray, "n m m"]:
    """The maps with the lowest of all their values wherever nothing is scored."""
    if region is None or not maps.size:
        return maps
    return np.where(region, maps, maps.min())


def regions_outside(
    masks: Bool[np.ndarray, "n m m"], region: Bool[np.ndarray, "n m m"] | None
) -> Int[np.ndarray, " n"]:
    """Number of 8-connected regions of each mask that lie wholly outside the scored region."""
    import cv2  # not needed to load predictions that are scored everywhere

    counts = np.zeros(len(masks), dtype=np.int64)
    if region is None:
        return counts
    for index in np.flatnonzero((masks & ~region).any(axis=(1, 2))):
        num_labels, labels = cv2.connectedComponents(masks[index].astype(np.uint8), connectivity=8)
        inside = np.unique(labels[masks[index] & region[index]])
        counts[index] = num_labels - 1 - len(inside)
    return counts


def aupro_inside(
    maps: Float32[np.ndarray, "n m m"],
    masks: Bool[np.ndarray, "n m m"],
    region: Bool[np.ndarray, "n m m"],
    *,
    fpr_limit: float,
    missed_regions: int,
) -> float:
    """AUPRO whose false positive rate is over the normal pixels of the scored region only.

    Pixel AUPRO proper is over all normal pixels of the crop (METHOD: of all images), so that it can
    be compared between margins: what is not scored is never a false alarm. This one cannot be, but
    does not rise by what is easy.

    Args:
        maps: anomaly maps.
        masks: ground truth in the scored region.
        region: the scored region.
        fpr_limit: as in `metrics.aupro`.
        missed_regions: as in `metrics.aupro`.
    """
    found = anomalous_pixels(maps, masks)
    return aupro_of(
        rank(found.scores, np.sort(maps[region & ~masks])),
        overlap_gains(found, np.ones(len(maps))),
        num_regions=float(found.num_regions.sum() + missed_regions),
        fpr_limit=fpr_limit,
    )


def _kept(
    roi: Bool[np.ndarray, "n m m"], postprocess: PostprocessConfig, grid: tuple[int, int]
) -> Bool[np.ndarray, "n m m"]:
    outer = postprocess.margin_px
    if outer is None:
        return np.ones_like(roi)
    inner = outer if postprocess.inner_margin_px is None else postprocess.inner_margin_px
    kept = np.array([_eroded(one, outer, inner) for one in roi], dtype=bool).reshape(roi.shape)
    if postprocess.leave_out_masked_patches:
        kept &= _in_untouched_patches(roi, grid)
    return kept


def _eroded(roi: Bool[np.ndarray, "m m"], outer: float, inner: float) -> Bool[np.ndarray, "m m"]:
    """Pixels farther than `outer` from all that is connected to the outside, beyond the border
    included, and farther than `inner` from what the region encloses."""
    import cv2

    padded = np.pad(roi, 1)
    _, labels = cv2.connectedComponents((~padded).astype(np.uint8), connectivity=4)
    is_outside = ~padded & (labels == labels[0, 0])
    is_hole = ~padded & ~is_outside
    kept = padded
    for is_beyond, margin in ((is_outside, outer), (is_hole, inner)):
        if is_beyond.any():
            free = (~is_beyond).astype(np.uint8)
            kept = kept & (cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > margin)
    inside: Bool[np.ndarray, "m m"] = kept[1:-1, 1:-1]
    return inside


def _in_untouched_patches(
    roi: Bool[np.ndarray, "n m m"], grid: tuple[int, int]
) -> Bool[np.ndarray, "n m m"]:
    """Pixels of patches that lie in the region of interest with all their pixels."""
    side = roi.shape[1]
    row_of, column_of = (np.arange(side) * cells // side for cells in grid)
    rows, columns = (np.searchsorted(of, np.arange(of[-1] + 1)) for of in (row_of, column_of))
    whole = np.logical_and.reduceat(np.logical_and.reduceat(roi, rows, axis=1), columns, axis=2)
    inside: Bool[np.ndarray, "n m m"] = whole[:, row_of][:, :, column_of]
    return inside
