"""What all pictures of anomaly maps share: colour scale, contours, marks, tiles of the input.

Axis letters: n samples, m side of the map, s side of the input, in pixels.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.plots.montage import OUTLINE, TEXT, Colour, Mask
from bearing_search.plots.picture_table import CONTOUR, ColourBar, Tile

SCALE_QUANTILE = 0.999
"""Quantile of a map's pixels that stands for its hottest place: 65 of 256x256 pixels are above."""

GOOD: Colour = OUTLINE
BAD: Colour = (255, 120, 100)

LEGEND = "green: ground truth; white: pixels above the threshold of the best pixel F1"
LEGEND_WITHOUT_MASKS = "no sample has a mask, so there is no ground truth and no pixel threshold"
NO_MASK = "no mask"


def scale_end(
    maps: Float[np.ndarray, "n m m"], is_anomalous: Bool[np.ndarray, " n"], *, threshold: float
) -> float:
    """Upper end of the colour scale, which no single sample can move far.

    It is the median of the anomalous maps' `SCALE_QUANTILE` quantiles (of all maps', without
    anomalous ones), and at least the threshold, so that its contour always lies on the scale.
    """
    hottest = np.quantile(maps.reshape(len(maps), -1), SCALE_QUANTILE, axis=1)
    typical = float(np.median(hottest[is_anomalous] if is_anomalous.any() else hottest))
    return typical if np.isnan(threshold) else max(typical, threshold)


def map_tile(
    levels: Float[np.ndarray, "m m"], mask: Mask, *, low: float, end: float, threshold: float
) -> Tile:
    """An anomaly map in colours from `low` to `end`, with contours of threshold and ground truth.

    Args:
        levels: the map.
        mask: ground truth.
        low: value at the black end.
        end: value at the pale end; what lies above is clipped.
        threshold: NaN: no contour.
    """
    # compared with NaN, nothing is above
    above = ((levels >= threshold, CONTOUR),)
    return Tile((levels - low) / max(end - low, 1e-12), (*above, (mask, OUTLINE)))


def input_tiles(pixels: UInt8[np.ndarray, "s s 3"], *, num_levels: int) -> list[Tile]:
    """The encoder's input: a colour picture, or each brightness channel as a grey tile."""
    if num_levels > 1:
        return [Tile(pixels[..., channel]) for channel in range(3)]
    is_grey = (pixels == pixels[..., :1]).all()
    return [Tile(pixels[..., 0] if is_grey else pixels)]


def input_titles(num_levels: int, *, is_mid_level: bool) -> list[str]:
    """Titles of `input_tiles`, for a part whose second channel is the mean of two levels or not."""
    if num_levels == 1:
        return ["input"]
    if num_levels == 2 or is_mid_level:
        return ["brightness 0", "mean of 0 and 1", "brightness 1"]
    return [f"brightness {number}" for number in range(3)]


def verdict(score: float, threshold: float, *, is_anomalous: bool) -> tuple[str, Colour]:
    """`found`, `missed`, `false alarm` or `passed`, with its colour; empty without a threshold."""
    if np.isnan(threshold):
        return "", TEXT
    if is_anomalous:
        return ("found", GOOD) if score >= threshold else ("missed", BAD)
    return ("false alarm", BAD) if score >= threshold else ("passed", GOOD)


def colour_bar(
    maps: Float[np.ndarray, "n m m"], *, low: float, end: float, threshold: float, meaning: str
) -> ColourBar:
    """The colour bar of `map_tile`, which says how much is clipped."""
    share = float((maps > end).mean())
    place = None if np.isnan(threshold) or end <= low else (threshold - low) / (end - low)
    return ColourBar(
        low=f"{low:.3g}",
        meaning=meaning,
        high=f"{end:.3g}",
        clipped=f"above {end:.3g}: {share:.2%} of the pixels" if share else "",
        threshold=place,
    )
