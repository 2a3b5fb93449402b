"""The Pareto front of settings with several objectives.

Axis letters: c settings, k objectives.
"""

import numpy as np
from jaxtyping import Bool, Float


def pareto_front(points: Float[np.ndarray, "c k"]) -> Bool[np.ndarray, " c"]:
    """Whether each setting is Pareto-optimal: no other is as good in all objectives, better in one.

    Args:
        points: objectives of each setting, larger is better. Of equal points, all or none are on
            the front.
    """
    as_good = np.all(points[None] >= points[:, None], axis=2)
    better = np.any(points[None] > points[:, None], axis=2)
    front: Bool[np.ndarray, " c"] = np.logical_not(np.any(as_good & better, axis=1))
    return front
