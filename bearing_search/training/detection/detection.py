"""The result of every detector. No torch.

Axis letters: n samples, k layers, h w rows and columns of the detector's grid.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Patch distances of a set of images, in the detector's unit."""

    distances: Float[np.ndarray, "n k h w"]
    """Higher is more anomalous; `evaluation.anomaly_maps` renders them as anomaly maps."""

    own_scores: Float[np.ndarray, " n"] | None
    """Image scores, if the detector has its own rule for them; otherwise None."""
