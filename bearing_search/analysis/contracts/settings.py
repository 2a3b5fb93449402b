"""A threshold, or two with a band between them, with the errors it makes and their bounds.

Axis letters: g groups.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.contracts.contract import Side
from bearing_search.analysis.contracts.views import GroupScores
from bearing_search.analysis.operating.rate_bounds import largest_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """How often an error happened, and how often it may at most."""

    errors: int
    groups: int
    bound: float
    """One-sided upper bound of the rate (Clopper and Pearson)."""

    @property
    def rate(self) -> float:
        """Observed rate; NaN without a group."""
        return self.errors / self.groups if self.groups else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Confidence of the bounds of each kind of error."""

    miss: float
    overkill: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Below `reinspect_from` OK, from `ng_from` on NG, between them to be inspected again."""

    reinspect_from: float
    """Equal to `ng_from` without a band."""

    ng_from: float
    miss: ErrorRate
    """Defective groups that are OK."""

    overkill: ErrorRate
    """Normal groups that are NG."""

    normal_in_band: ErrorRate
    """Normal groups to be inspected again; no error, counted the same way."""

    defective_in_band: int

    def of(self, side: Side) -> ErrorRate:
        """The rate of one kind of error."""
        return self.miss if side == "miss" else self.overkill


def setting_at(
    groups: GroupScores, ng_from: float, *, reinspect_from: float | None, levels: Levels
) -> Setting:
    """The errors of a threshold, or of two.

    Args:
        groups: the deciding scores.
        ng_from: lowest score that is NG.
        reinspect_from: lowest score that is not OK; None: `ng_from`.
        levels: confidence of the bounds.
    """
    low = ng_from if reinspect_from is None else reinspect_from
    normal, anomalous = groups.normal, groups.anomalous

    def counted(is_hit: Bool[np.ndarray, " g"], level: float) -> ErrorRate:
        errors = int(is_hit.sum())
        bound = largest_rate(len(is_hit), errors, level)
        return ErrorRate(errors=errors, groups=len(is_hit), bound=bound)

    return Setting(
        reinspect_from=low,
        ng_from=ng_from,
        miss=counted(anomalous < low, levels.miss),
        overkill=counted(normal >= ng_from, levels.overkill),
        normal_in_band=counted((normal >= low) & (normal < ng_from), levels.overkill),
        defective_in_band=int(((anomalous >= low) & (anomalous < ng_from)).sum()),
    )


def candidates(groups: GroupScores) -> Float[np.ndarray, " _"]:
    """Every threshold that makes a difference: halfway between scores, below and above all."""
    scores = np.unique(groups.scores)
    ends = np.nextafter(scores[[0, -1]], [-np.inf, np.inf])
    halfway: Float[np.ndarray, " _"] = np.concatenate(
        [ends[:1], (scores[:-1] + scores[1:]) / 2, ends[1:]]
    )
    return halfway
