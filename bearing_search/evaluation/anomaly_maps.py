"""Distances on the encoder's grid -> anomaly maps and image scores. NumPy only.

Upsampling and smoothing are linear and separable, so the whole pipeline is one matrix K and a map
is K D K'. Only the small D is stored, so that other postprocessing can be tried after training.

Axis letters: n samples, f brightness images that have a separate map (1 if they are channels),
k layers, h w rows and columns of the grid, m side of the map in pixels.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.config import DETECTORS, Fusion, ImageScore, PostprocessConfig
from bearing_search.config.detector_table import require_detector
from bearing_search.evaluation.scored_region import outside_as_lowest, scored_region

Matrix = Float[np.ndarray, "out cells"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessSpec:
    """How distances become anomaly maps and image scores."""

    detector: str
    """Name of the detector, whose entry in `DETECTORS` has its rules for maps."""

    fusion: Fusion
    input_px: int
    """Side of the encoder's input, to which the distances are upsampled first."""

    map_px: int
    """Side of the finished map."""

    postprocess: PostprocessConfig

    def __post_init__(self) -> None:
        require_detector(self.detector)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyMaps:
    """Anomaly maps with their image scores."""

    maps: Float[np.ndarray, "n m m"]
    image_scores: Float[np.ndarray, " n"]
    region: Bool[np.ndarray, "n m m"] | None = None
    """Pixels that are scored; None: all."""


def anomaly_maps(
    distances: Float[np.ndarray, "n f k h w"],
    own_scores: Float[np.ndarray, "n f"] | None,
    rendering: PostprocessSpec,
    roi: Bool[np.ndarray, "n m m"] | None = None,
) -> AnomalyMaps:
    """Average the layers, upsample, smooth, fuse the brightness images, score each sample.

    Args:
        distances: patch distances in the detector's unit; higher is more anomalous.
        own_scores: image scores computed by the detector itself; None if it computes none. They
            know no region, so with `margin_px` the detector's rule for maps takes their place.
        rendering: how.
        roi: the region of interest of each sample; None: everything.

    Raises:
        ValueError: the length of `layer_weights` is not the detector's number of layers.
        TrialFailedError: `margin_px` leaves nothing of a sample.
    """
    averaged = _over_layers(distances, rendering.postprocess.layer_weights)
    kernel_rows = _kernel(averaged.shape[2], rendering)
    kernel_columns = _kernel(averaged.shape[3], rendering)
    maps = (kernel_rows @ averaged @ kernel_columns.T).astype(np.float32)
    rule = rendering.postprocess.image_score
    fused = _fuse(maps, rendering.fusion)
    everything = np.ones(fused.shape, dtype=bool) if roi is None else roi
    region = scored_region(everything, rendering.postprocess, averaged.shape[2:])
    if rule == "own" and own_scores is not None and region is None:
        return AnomalyMaps(maps=fused, image_scores=_fuse(own_scores, rendering.fusion))
    fused = outside_as_lowest(fused, region)
    scores = image_scores(fused, rendering, region)
    return AnomalyMaps(maps=fused, image_scores=scores, region=region)


def image_scores(
    maps: Float[np.ndarray, "n m m"],
    rendering: PostprocessSpec,
    region: Bool[np.ndarray, "n m m"] | None = None,
) -> Float[np.ndarray, " n"]:
    """One score per map, by the rule in `rendering`; `top_share` is a share of the region."""
    config = rendering.postprocess
    match _rule(rendering):
        case "top_share":
            if region is None:
                return _top_mean(maps, config.top_share)
            shares = config.top_share * region.mean(axis=(1, 2))
            means = [_top_mean(one[None], s) for one, s in zip(maps, shares, strict=True)]
            return np.concatenate(means) if means else np.empty(0, dtype=maps.dtype)
        case "pooled_max":
            return _pooled_max(maps, config.pool_px)
        case _:
            highest: Float[np.ndarray, " n"] = maps.max(axis=(1, 2))
            return highest


def _rule(rendering: PostprocessSpec) -> ImageScore:
    rule = rendering.postprocess.image_score
    return DETECTORS[rendering.detector].maps.image_score if rule == "own" else rule


def _over_layers(
    distances: Float[np.ndarray, "n f k h w"], weights: tuple[float, ...]
) -> Float[np.ndarray, "n f h w"]:
    num_layers = distances.shape[2]
    if weights and len(weights) != num_layers:
        raise ValueError(
            f"layer_weights has {len(weights)} weights, the detector has {num_layers} layers"
        )
    averaged: Float[np.ndarray, "n f h w"] = np.average(distances, axis=2, weights=weights or None)
    return averaged


def _fuse(values: np.ndarray, fusion: Fusion) -> np.ndarray:
    fused: np.ndarray = values.max(axis=1) if fusion == "score_max" else values.mean(axis=1)
    return fused


def _kernel(cells: int, rendering: PostprocessSpec) -> Matrix:
    maps = DETECTORS[rendering.detector].maps
    full = _enlarge(cells, rendering.input_px, align_corners=maps.align_corners)
    resized: Matrix = _enlarge(rendering.input_px, rendering.map_px, align_corners=False) @ full
    sigma = rendering.postprocess.smoothing_sigma_px
    if sigma == 0:
        return resized
    if maps.smoothing_window_px is None:
        smooth = _smooth(rendering.map_px, sigma, half=int(4 * sigma + 0.5), mirror=True)
    else:
        # scores fade near the border, as in Dinomaly's official code
        half = maps.smoothing_window_px // 2
        smooth = _smooth(rendering.map_px, sigma, half=half, mirror=False)
    kernel: Matrix = smooth @ resized
    return kernel


def _enlarge(source: int, target: int, *, align_corners: bool) -> Matrix:
    """Linear interpolation along one axis as a matrix, equal to torch's `interpolate`."""
    if align_corners:
        places = np.linspace(0, source - 1, target) if target > 1 else np.zeros(1)
    else:
        places = (np.arange(target) + 0.5) * source / target - 0.5
    places = np.clip(places, 0, source - 1)
    low = np.minimum(places.astype(int), max(source - 2, 0))
    share = places - low
    matrix = np.zeros((target, source))
    matrix[np.arange(target), low] = 1 - share
    matrix[np.arange(target), np.minimum(low + 1, source - 1)] += share
    return matrix


def _smooth(size: int, sigma: float, *, half: int, mirror: bool) -> Matrix:
    offsets = np.arange(-half, half + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    matrix = np.zeros((size, size))
    for offset, weight in zip(offsets, weights, strict=True):
        places = np.arange(size) + offset
        if mirror:  # abc|cba, repeated as often as needed
            folded = places % (2 * size)
            np.add.at(matrix, (np.arange(size), np.minimum(folded, 2 * size - 1 - folded)), weight)
        else:
            inside = (places >= 0) & (places < size)
            matrix[np.arange(size)[inside], places[inside]] += weight
    return matrix


def _top_mean(maps: Float[np.ndarray, "n m m"], share: float) -> Float[np.ndarray, " n"]:
    pixels = maps.reshape(len(maps), -1)
    num_pixels = pixels.shape[1]
    count = max(1, int(num_pixels * share))
    largest = np.partition(pixels, num_pixels - count, axis=1)[:, num_pixels - count :]
    means: Float[np.ndarray, " n"] = largest.mean(axis=1)
    return means


def _pooled_max(maps: Float[np.ndarray, "n m m"], pool_px: int) -> Float[np.ndarray, " n"]:
    side = min(pool_px, maps.shape[1])
    total = np.pad(maps, ((0, 0), (1, 0), (1, 0))).cumsum(axis=1, dtype=float).cumsum(axis=2)
    ends, starts = total[:, side:], total[:, :-side]
    sums = ends[:, :, side:] - ends[:, :, :-side] - starts[:, :, side:] + starts[:, :, :-side]
    highest: Float[np.ndarray, " n"] = sums.max(axis=(1, 2)) / side**2
    return highest
