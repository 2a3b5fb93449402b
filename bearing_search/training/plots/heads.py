"""Pictures of the fine-tuned heads: reconstructions and patch probabilities (paper, Fig. 10).

Axis letters: n samples, s side of the input in pixels, r c rows and columns of patches.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.plots.montage import Picture
from bearing_search.plots.picture_table import ColourBar, Tile, outlined_tile, picture_table

DIFFERENCE_LEVELS = 64
"""Difference in grey levels at the upper end of the colour scale, the same in every picture."""


def reconstruction_picture(
    pixels: UInt8[np.ndarray, "n s s 3"],
    rebuilt: UInt8[np.ndarray, "n s s 3"],
    titles: Sequence[str],
    *,
    is_stack: bool,
) -> Picture:
    """A row per sample: input, reconstruction, and the mean absolute difference of the channels.

    Args:
        pixels: RGB.
        rebuilt: output of the reconstruction head, RGB.
        titles: row titles.
        is_stack: whether channels are brightness levels, of which the first is shown in grey.
    """
    differences = np.abs(pixels.astype(float) - rebuilt).mean(axis=3) / DIFFERENCE_LEVELS
    triples = zip(pixels, rebuilt, differences, strict=True)
    tiles = [
        [Tile(_shown(image, is_stack)), Tile(_shown(made, is_stack)), Tile(difference)]
        for image, made, difference in triples
    ]
    clipped = f"above {DIFFERENCE_LEVELS}" if differences.max(initial=0) > 1 else ""
    bar = ColourBar(
        low="0",
        meaning="|difference| in grey levels",
        high=f"{DIFFERENCE_LEVELS}",
        clipped=clipped,
    )
    heads = (_input_title(is_stack), "reconstruction", "|difference|")
    return picture_table(heads, zip(titles, tiles, strict=True), bar=bar)


def patch_picture(
    pixels: UInt8[np.ndarray, "n s s 3"],
    masks: Bool[np.ndarray, "n s s"],
    probabilities: Float[np.ndarray, "n r c"],
    titles: Sequence[str],
    *,
    is_stack: bool,
) -> Picture:
    """A row per sample: input with the defect outlined, and the patch probabilities.

    Args:
        pixels: RGB.
        masks: ground truth.
        probabilities: probability that a patch is anomalous, in [0, 1].
        titles: row titles.
        is_stack: whether channels are brightness levels, of which the first is shown in grey.
    """
    triples = zip(pixels, probabilities, masks, strict=True)
    tiles = [
        [outlined_tile(_shown(image, is_stack), mask), outlined_tile(found, mask)]
        for image, found, mask in triples
    ]
    bar = ColourBar(low="0", meaning="probability of anomalous", high="1")
    heads = (f"{_input_title(is_stack)}, defect outlined", "patch probability")
    return picture_table(heads, zip(titles, tiles, strict=True), bar=bar)


def _shown(image: UInt8[np.ndarray, "s s 3"], is_stack: bool) -> UInt8[np.ndarray, "s s *c"]:
    # several brightness levels as colour channels would be false colours
    return image[..., 0] if is_stack else image


def _input_title(is_stack: bool) -> str:
    return "brightness 0" if is_stack else "input"
