"""Conformal p-values: how unusual a score is among those of held-out normal groups.

Axis letters: a normal groups, g groups.
"""

import numpy as np
from jaxtyping import Float

from bearing_search.analysis.contracts.views import GroupScores


def p_values(
    normal: Float[np.ndarray, " a"], scores: Float[np.ndarray, " g"]
) -> Float[np.ndarray, " g"]:
    """Share of the normal groups, the new one among them, that score at least as high.

    Args:
        normal: sorted scores of held-out normal groups.
        scores: scores of other groups.
    """
    as_high = len(normal) - np.searchsorted(normal, scores)
    found: Float[np.ndarray, " g"] = (1 + as_high) / (len(normal) + 1)
    return found


def held_out_p_values(groups: GroupScores) -> Float[np.ndarray, " g"]:
    """p-value of every group; a normal one is compared with the others."""
    normal, found = groups.normal, np.empty(len(groups.scores))
    found[groups.is_anomalous] = p_values(normal, groups.scores[groups.is_anomalous])
    own = groups.scores[~groups.is_anomalous]
    # it is among those that score as high as itself already
    found[~groups.is_anomalous] = (len(normal) - np.searchsorted(normal, own)) / len(normal)
    return found


def worst_false_alarm_rate(alpha: float, num_normal: int, folds: int) -> float:
    """Proven limit of P(p <= alpha) for a new normal group that every fold's model scores.

    Barber et al. (2021), theorem 4 (CV+): it needs exchangeable groups, and nothing of the models.
    """
    if num_normal == 0:
        return 1.0
    excess = min(
        2 * (1 - 1 / folds) / (num_normal / folds + 1), (1 - folds / num_normal) / (folds + 1)
    )
    return min(1.0, 2 * alpha + max(excess, 0.0))
