"""From scores of views to one score per physical part (group), which its verdict is made of.

Axis letters: n samples, g groups.
"""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.operating.thresholds import PooledScores
from bearing_search.errors import ConfigError

EACH = "each"
"""Every view has a verdict of its own."""

_K_OF_N = re.compile(r"(?P<k>[1-9][0-9]?)-of-(?P<n>[1-9][0-9]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRule:
    """How the views of one group become its verdict."""

    name: str
    """`each`, `any`, `mean`, or `2-of-3`."""

    flagged: int = 1
    """How many views must reach the threshold; used by `any` and `k-of-n`."""

    of: int | None = None
    """How many views every group must have; None: any number."""

    @property
    def is_each(self) -> bool:
        """Whether views are judged one by one."""
        return self.name == EACH

    @property
    def meaning(self) -> str:
        """What a verdict is made of, for display."""
        if self.is_each:
            return "each view has its own verdict; a group is wrong if any of its verdicts is"
        if self.name == "mean":
            return "one verdict per group: the mean score of its views"
        if self.of is None:
            return "one verdict per group: NG if any of its views is"
        return f"one verdict per group: NG if at least {self.flagged} of its {self.of} views are"


def view_rule(text: str) -> ViewRule:
    """The rule of that name.

    Raises:
        ConfigError: it is none of `each`, `any`, `mean` and `k-of-n`.
    """
    if text in (EACH, "any", "mean"):
        return ViewRule(name=text)
    match = _K_OF_N.fullmatch(text)
    if match is None or int(match["k"]) > int(match["n"]):
        raise ConfigError(f"--views {text}: wanted each, any, mean, or k-of-n such as 2-of-3")
    return ViewRule(name=text, flagged=int(match["k"]), of=int(match["n"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScores:
    """One deciding score per group and kind; what reaches the threshold is NG."""

    scores: Float[np.ndarray, " g"]
    is_anomalous: Bool[np.ndarray, " g"]
    names: tuple[str, ...]
    """Name of each row's group."""

    @property
    def normal(self) -> Float[np.ndarray, " a"]:
        """Sorted scores of the normal groups."""
        return np.sort(self.scores[~self.is_anomalous])

    @property
    def anomalous(self) -> Float[np.ndarray, " b"]:
        """Sorted scores of the defective groups."""
        return np.sort(self.scores[self.is_anomalous])

    @property
    def pool(self) -> PooledScores:
        """The same, for functions that place thresholds."""
        return PooledScores(
            scores=self.scores,
            is_anomalous=self.is_anomalous,
            groups=self.names,
            centre=0.0,
            scale=1.0,
        )


def group_scores(pool: PooledScores, rule: ViewRule) -> GroupScores:
    """The score that decides each group's verdict.

    Views of one group resemble each other, so a group counts once. With `each`, by its worst view:
    the highest normal one, the lowest anomalous one; a group with views of both kinds counts for
    both. With a rule, a group is defective if any of its views is.

    Raises:
        ConfigError: a group has another number of views than the rule names.
    """
    if rule.of is not None:
        _require_views(Counter(pool.groups), rule)
    names, member = np.unique(np.array(pool.groups), return_inverse=True)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(len(names) + 1))
    rows = [
        (str(name), kind, _deciding(pool.scores[own], pool.is_anomalous[own], rule, kind))
        for name, first, end in zip(names, starts[:-1], starts[1:], strict=True)
        for own in [order[first:end]]
        for kind in _kinds(pool.is_anomalous[own], rule)
    ]
    return GroupScores(
        scores=np.array([score for _, _, score in rows], dtype=float),
        is_anomalous=np.array([kind for _, kind, _ in rows], dtype=bool),
        names=tuple(name for name, _, _ in rows),
    )


def _kinds(is_anomalous: Bool[np.ndarray, " n"], rule: ViewRule) -> list[bool]:
    return sorted(set(is_anomalous.tolist())) if rule.is_each else [bool(is_anomalous.any())]


def _deciding(
    scores: Float[np.ndarray, " n"],
    is_anomalous: Bool[np.ndarray, " n"],
    rule: ViewRule,
    kind: bool,
) -> float:
    """The deciding score of one group; `kind`: as a defective one."""
    if rule.is_each:
        own = scores[is_anomalous == kind]
        return float(own.min() if kind else own.max())
    if rule.name == "mean":
        return float(scores.mean())
    return float(np.sort(scores)[-rule.flagged])


def _require_views(counts: Counter[str], rule: ViewRule) -> None:
    others = {name: count for name, count in sorted(counts.items()) if count != rule.of}
    if others:
        name, count = next(iter(others.items()))
        raise ConfigError(
            f"--views {rule.name}: {len(others)} of {len(counts)} groups have another number of "
            f"scored views, such as {name} with {count}; use any or mean, or a rule for that number"
        )
