"""What every detector answers. No torch.

Axis letters: n samples, k layers, h w rows and columns of the detector's grid.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Distances of the patches of some images, in the detector's unit."""

    distances: Float[np.ndarray, "n k h w"]
    """Higher is more anomalous; `maps.render` makes maps of them."""

    own_scores: Float[np.ndarray, " n"] | None
    """Image scores, where the detector has a rule beyond its distances; else None."""
