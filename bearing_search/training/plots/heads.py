"""Pictures of the fine-tuned heads: reconstructions and patch probabilities (paper, Fig. 10).

Axis letters: n samples, s side of the input in pixels, r c rows and columns of patches.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.plots import montage
from bearing_search.plots.montage import Picture

DIFFERENCE_LEVELS = 64
"""Difference in grey levels at the upper end of the colour scale, the same in every picture."""


def reconstruction_picture(
    pixels: UInt8[np.ndarray, "n s s 3"],
    rebuilt: UInt8[np.ndarray, "n s s 3"],
    titles: Sequence[str],
) -> Picture:
    """A row per sample: input, reconstruction, and the mean absolute difference of the channels.

    Args:
        pixels: RGB.
        rebuilt: output of the reconstruction head, RGB.
        titles: row titles.
    """
    differences = np.abs(pixels.astype(float) - rebuilt).mean(axis=3) / DIFFERENCE_LEVELS
    rows = zip(titles, zip(pixels, rebuilt, differences, strict=True), strict=True)
    scale = ("0", "|difference| in grey levels", f"{DIFFERENCE_LEVELS} and more")
    return montage.table(("input", "reconstruction", "|difference|"), rows, scale=scale)


def patch_picture(
    pixels: UInt8[np.ndarray, "n s s 3"],
    masks: Bool[np.ndarray, "n s s"],
    probabilities: Float[np.ndarray, "n r c"],
    titles: Sequence[str],
) -> Picture:
    """A row per sample: input with the defect outlined, and the patch probabilities.

    Args:
        pixels: RGB.
        masks: ground truth.
        probabilities: probability that a patch is anomalous, in [0, 1].
        titles: row titles.
    """
    triples = zip(pixels, probabilities, masks, strict=True)
    cells = [((image, mask), (found, mask)) for image, found, mask in triples]
    rows = zip(titles, cells, strict=True)
    scale = ("0", "probability of anomalous", "1")
    return montage.table(("input, defect outlined", "patch probability"), rows, scale=scale)
