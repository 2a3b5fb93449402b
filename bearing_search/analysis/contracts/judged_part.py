"""One part under a contract: its decision, and the verdict of every held-out sample.

Axis letters: n samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.contracts.contract import Contract
from bearing_search.analysis.contracts.decision import Decision, Shortfall, decide
from bearing_search.analysis.contracts.p_values import held_out_p_values
from bearing_search.analysis.contracts.settings import Setting
from bearing_search.analysis.contracts.views import GroupScores, group_scores
from bearing_search.analysis.operating.operating_points import fold_scores
from bearing_search.analysis.operating.thresholds import (
    PooledScores,
    pooled_scores,
    standardised_scores,
)
from bearing_search.evaluation.predictions import Predictions

Unit = Literal["standardised", "score"]
"""Of thresholds: deviations of unseen normal scores from their mean, or scores as they are."""

Verdict = Literal["OK", "re-inspect", "NG"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScale:
    """Unseen normal scores of one fold's model, by which its scores are standardised."""

    mean: float
    deviation: float

    def score_of(self, threshold: float) -> float:
        """A standardised threshold as a score of this model."""
        return self.mean + self.deviation * threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongVerdict:
    """A group that was judged wrong."""

    group: str
    is_anomalous: bool
    verdict: Verdict
    score: float
    """The deciding score, in the unit of the thresholds."""

    samples: tuple[tuple[str, str], ...]
    """Fold and title of the samples that were judged wrong; with a rule for views, of all of the
    group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPart:
    """A part's decision with its evidence."""

    part: str
    unit: Unit
    decision: Decision
    groups: GroupScores
    p_values: Float[np.ndarray, " g"]
    """Of each row of `groups`."""

    kinds: tuple[str, ...]
    """Kind of defect of each row of `groups`; `good` where normal."""

    scales: Mapping[str, ModelScale]
    """Of each fold's model; empty if scores are taken as they are."""

    wrong: tuple[WrongVerdict, ...]
    """Misses first, then overkill, the farthest from its threshold first."""

    no_roi: int
    """Held-out samples without a region of interest, which have no score and no verdict."""

    has_drawn_defects: bool
    """Whether its held-out defects are drawn on normal samples."""


def judge(
    part: str, folds: Mapping[str, Predictions], contract: Contract, *, has_drawn_defects: bool
) -> JudgedPart | Shortfall:
    """Decide on the thresholds of a part from its held-out samples.

    Args:
        part: its name.
        folds: fold key -> predictions of this part.
        contract: what is asked.
        has_drawn_defects: whether the held-out defects are drawn.
    """
    scores = [fold_scores(one) for one in folds.values()]
    pool = standardised_scores(scores)
    scales = {}
    if pool is not None:
        for key, one in zip(folds, scores, strict=True):
            normal = one.scores[~one.is_anomalous].astype(float)
            scales[key] = ModelScale(mean=float(normal.mean()), deviation=float(normal.std(ddof=1)))
    used = pool or pooled_scores(scores)
    assert used is not None
    groups = group_scores(used, contract.views)
    decision = decide(groups, contract)
    if isinstance(decision, Shortfall):
        return decision
    return JudgedPart(
        part=part,
        unit="standardised" if pool else "score",
        decision=decision,
        groups=groups,
        p_values=held_out_p_values(groups),
        kinds=_kinds(groups, folds),
        scales=scales,
        wrong=_wrong(groups, used, folds, decision),
        no_roi=sum(one.num_no_roi for one in folds.values()),
        has_drawn_defects=has_drawn_defects,
    )


def verdict_of(score: float, setting: Setting) -> Verdict:
    """OK, re-inspect or NG."""
    if score >= setting.ng_from:
        return "NG"
    return "OK" if score < setting.reinspect_from else "re-inspect"


def _is_wrong(verdict: Verdict, *, is_anomalous: bool) -> bool:
    return verdict == ("OK" if is_anomalous else "NG")


def _kinds(groups: GroupScores, folds: Mapping[str, Predictions]) -> tuple[str, ...]:
    kinds: dict[str, str] = {}
    for one in folds.values():
        for group, kind, is_anomalous in zip(
            one.groups, one.defects or [""] * len(one.groups), one.is_anomalous, strict=True
        ):
            if is_anomalous:
                kinds.setdefault(group, kind or "defect")
    return tuple(
        kinds[name] if is_anomalous else "good"
        for name, is_anomalous in zip(groups.names, groups.is_anomalous, strict=True)
    )


def _wrong(
    groups: GroupScores, pool: PooledScores, folds: Mapping[str, Predictions], decision: Decision
) -> tuple[WrongVerdict, ...]:
    setting, is_each = decision.chosen, decision.contract.views.is_each
    titles = [(key, name) for key, one in folds.items() for name in one.names]
    names = np.array(pool.groups)
    found = []
    for group, is_anomalous, score in zip(
        groups.names, groups.is_anomalous.tolist(), groups.scores.tolist(), strict=True
    ):
        verdict = verdict_of(score, setting)
        if not _is_wrong(verdict, is_anomalous=is_anomalous):
            continue
        own: Bool[np.ndarray, " n"] = names == group
        if is_each:
            own = own & (pool.is_anomalous == is_anomalous)
            is_wrong = [
                _is_wrong(verdict_of(s, setting), is_anomalous=is_anomalous)
                for s in pool.scores.tolist()
            ]
            own = own & np.array(is_wrong)
        found.append(
            WrongVerdict(
                group=group,
                is_anomalous=is_anomalous,
                verdict=verdict,
                score=score,
                samples=tuple(titles[i] for i in np.flatnonzero(own)),
            )
        )

    def distance(one: WrongVerdict) -> float:
        return (
            setting.reinspect_from - one.score if one.is_anomalous else one.score - setting.ng_from
        )

    return tuple(sorted(found, key=lambda one: (not one.is_anomalous, -distance(one))))
