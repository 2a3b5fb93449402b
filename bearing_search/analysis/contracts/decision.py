"""The threshold that keeps a contract, with the settings beside it, or what the data lack for it.

A promise of at most the rate p at confidence c: with n groups of the kind in question, k errors
are allowed, the most for which Clopper and Pearson's one-sided bound is at most p. k depends on n,
p and c alone, so the threshold is an order statistic of the scores whose rank was fixed beforehand,
and the promise is exact for groups drawn like these (a distribution-free tolerance limit, Wilks
1941).
"""

from dataclasses import dataclass

import numpy as np

from bearing_search.analysis.contracts.bands import cheapest, with_band
from bearing_search.analysis.contracts.contract import KINDS, OTHER, Contract, Side
from bearing_search.analysis.contracts.settings import Levels, Setting, candidates
from bearing_search.analysis.contracts.views import GroupScores
from bearing_search.analysis.operating.rate_bounds import (
    errors_allowed,
    largest_rate,
    simultaneous_confidence,
    trials_needed,
)
from bearing_search.analysis.operating.thresholds import threshold_above, threshold_below
from bearing_search.text.shares import bound_text, share_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The setting that keeps a contract on one part."""

    contract: Contract
    chosen: Setting
    tighter: Setting | None
    """At the next lower threshold, which flags one score more; None: there is none."""

    looser: Setting | None
    """At the next higher one."""

    allowed: int | None
    """Errors that the promise allows among this many groups; None: no rate is promised."""

    other_needs: int | None
    """Further groups of the other kind, none of them wrong, that would prove the promised rate for
    the other error as well; 0: it is proven; None: no rate is promised."""

    cost: float | None
    """Expected cost per group at the observed rates; None: costs were not asked for."""

    cost_bound: float | None
    """The same at the bounds of both rates."""

    defect_share: float | None
    """Share of defective groups that the cost assumes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """What a promise lacks."""

    side: Side
    groups: int
    rate: float
    confidence: float
    needed: int
    """Groups without an error that would prove the promise."""

    @property
    def carried(self) -> float:
        """The smallest rate that these groups can prove; 1 without any."""
        return largest_rate(self.groups, 0, self.confidence)

    @property
    def text(self) -> str:
        """Found, what it carries, and what is missing."""
        kind = KINDS[self.side]
        if self.groups == 0:
            return f"no held-out {kind} group, which promises nothing; it takes {self.needed}"
        return (
            f"{self.groups} held-out {kind} groups can prove {bound_text(self.carried)} at best "
            f"(confidence {share_text(self.confidence)}); {share_text(self.rate)} takes "
            f"{self.needed - self.groups} more of them"
        )


def decide(groups: GroupScores, contract: Contract) -> Decision | Shortfall:
    """The threshold for a contract, or what the data lack.

    Args:
        groups: deciding scores of one part's held-out groups.
        contract: what is asked.
    """
    if contract.promised is None:
        return _cheapest(groups, contract)
    side, rate = contract.promised
    scores = groups.anomalous if side == "miss" else groups.normal
    allowed = errors_allowed(len(scores), rate, contract.confidence) if len(scores) else None
    if allowed is None:
        return Shortfall(
            side=side,
            groups=len(scores),
            rate=rate,
            confidence=contract.confidence,
            needed=trials_needed(rate, 0, contract.confidence),
        )
    anchor = (
        threshold_below(groups.pool, float(scores[allowed]))
        if side == "miss"
        else threshold_above(groups.pool, float(scores[len(scores) - 1 - allowed]))
    )
    levels = Levels(miss=contract.confidence, overkill=contract.confidence)
    chosen = with_band(groups, anchor, contract, levels)
    other = chosen.of(OTHER[side])
    needed = trials_needed(rate, other.errors, contract.confidence)
    return Decision(
        contract=contract,
        chosen=chosen,
        **_neighbours(groups, anchor, contract, levels),
        allowed=allowed,
        other_needs=max(needed - other.groups, 0),
        cost=None,
        cost_bound=None,
        defect_share=None,
    )


def _cheapest(groups: GroupScores, contract: Contract) -> Decision | Shortfall:
    costs = contract.costs
    assert costs is not None
    defective, normal = len(groups.anomalous), len(groups.normal)
    counts: dict[Side, int] = {"miss": defective, "overkill": normal}
    for side, count in counts.items():
        if count == 0:
            return Shortfall(
                side=side, groups=0, rate=1.0, confidence=contract.confidence, needed=1
            )
    share = costs.defects if costs.defects is not None else defective / (defective + normal)
    # both bounds hold together, each at half of the risk
    each = (1 + contract.confidence) / 2
    levels = Levels(
        miss=simultaneous_confidence(defective, each),
        overkill=simultaneous_confidence(normal, each),
    )
    chosen = cheapest(groups, contract, share, levels)
    anchor = chosen.reinspect_from

    def cost(miss: float, overkill: float) -> float:
        return share * costs.miss * miss + (1 - share) * costs.overkill * overkill

    return Decision(
        contract=contract,
        chosen=chosen,
        **_neighbours(groups, anchor, contract, levels),
        allowed=None,
        other_needs=None,
        cost=cost(chosen.miss.rate, chosen.overkill.rate),
        cost_bound=cost(chosen.miss.bound, chosen.overkill.bound),
        defect_share=share,
    )


def _neighbours(
    groups: GroupScores, anchor: float, contract: Contract, levels: Levels
) -> dict[str, Setting | None]:
    """The settings at the next thresholds that change a verdict."""
    steps = candidates(groups)
    place = int((np.unique(groups.scores) < anchor).sum())  # the gap in which the anchor lies

    def at(step: int) -> Setting | None:
        if not 0 <= step < len(steps):
            return None
        return with_band(groups, float(steps[step]), contract, levels)

    return {"tighter": at(place - 1), "looser": at(place + 1)}
