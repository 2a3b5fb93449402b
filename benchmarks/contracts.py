"""Measure how often the thresholds of `threshold` break what they promise; wanted: at most 5 %.

Scores are drawn from known distributions, a threshold is made, and its true rates are compared with
the promise and with the printed bounds. Scores of models that are trained anew are the matter of
`benchmarks/thresholds.py`.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, product

import numpy as np

from bearing_search.analysis.contracts.contract import Contract, Costs
from bearing_search.analysis.contracts.decision import Decision, decide
from bearing_search.analysis.contracts.views import GroupScores, group_scores, view_rule
from bearing_search.analysis.operating.rate_bounds import largest_rate
from bearing_search.analysis.operating.thresholds import PooledScores
from bearing_search.evaluation.metrics import auroc

MANY = 200_000
"""Groups from which true rates are taken."""

Draw = Callable[[np.random.Generator, int, bool], np.ndarray]
"""Scores of that many groups; the last argument: whether they are defective."""


def normal(rng: np.random.Generator, count: int, is_anomalous: bool) -> np.ndarray:
    """Normal scores, defects two deviations higher."""
    return rng.normal(2.0 * is_anomalous, 1.0, count)


def lognormal(rng: np.random.Generator, count: int, is_anomalous: bool) -> np.ndarray:
    """A long upper tail; defects scatter more."""
    return np.exp(rng.normal(1.0 * is_anomalous, 0.5 + 0.5 * is_anomalous, count))


def outliers(rng: np.random.Generator, count: int, is_anomalous: bool) -> np.ndarray:
    """Tails so heavy that there is no variance."""
    return rng.standard_t(2, count) + 4.0 * is_anomalous


def two_kinds(rng: np.random.Generator, count: int, is_anomalous: bool) -> np.ndarray:
    """One defect in ten looks like a normal part."""
    is_easy = rng.random(count) < 0.9
    return rng.normal(6.0 * is_anomalous * is_easy, 1.0, count)


def ties(rng: np.random.Generator, count: int, is_anomalous: bool) -> np.ndarray:
    """Scores on a coarse grid."""
    return np.round(rng.normal(2.0 * is_anomalous, 1.0, count) * 2) / 2


DRAWS: dict[str, Draw] = {d.__name__: d for d in (normal, lognormal, outliers, two_kinds, ties)}


@dataclass(frozen=True, kw_only=True)
class Broken:
    """Shares of data sets in which a true rate was above what was said."""

    promise: float
    """The promised rate; NaN where none is promised."""

    other: float
    """The bound of the other error; with costs, of either error."""

    other_rate: float
    """Mean true rate of the other error."""


def counted(rows: Iterator[tuple[bool, bool, float]]) -> Broken:
    """The shares over all data sets."""
    table = np.array(list(rows), dtype=float)
    promise, other, rate = table.mean(axis=0)
    return Broken(promise=float(promise), other=float(other), other_rate=float(rate))


def made(rows: np.ndarray, labels: np.ndarray) -> GroupScores:
    """Scores of groups with one view each."""
    return GroupScores(
        scores=rows, is_anomalous=labels, names=tuple(str(i) for i in range(len(rows)))
    )


def broken(draw: Draw, asked: Contract, normals: int, defects: int, repeats: int) -> Broken:
    """How often the true rates of a contract's threshold are above what it says."""
    rng = np.random.default_rng(0)
    truth = [np.sort(draw(rng, MANY, is_anomalous)) for is_anomalous in (False, True)]
    labels = np.arange(normals + defects) >= normals

    def rows() -> Iterator[tuple[bool, bool, float]]:
        for _ in range(repeats):
            scores = np.concatenate([draw(rng, normals, False), draw(rng, defects, True)])
            found = decide(made(scores, labels), asked)
            assert isinstance(found, Decision), found
            yield verdict(found, truth)

    return counted(rows())


def verdict(found: Decision, truth: list[np.ndarray]) -> tuple[bool, bool, float]:
    """Whether the promise and the other bound are broken, and the true rate of the other error."""
    chosen = found.chosen
    good, bad = truth
    miss = float(np.searchsorted(bad, chosen.reinspect_from) / len(bad))
    overkill = float(1 - np.searchsorted(good, chosen.ng_from) / len(good))
    if found.contract.promised is None:
        return False, miss > chosen.miss.bound or overkill > chosen.overkill.bound, overkill
    side, rate = found.contract.promised
    if side == "miss":
        return miss > rate, overkill > chosen.overkill.bound, overkill
    return overkill > rate, miss > chosen.miss.bound, miss


def views_broken(rule: str, likeness: float, groups: int, repeats: int, rate: float) -> Broken:
    """The same for groups of three views that resemble each other.

    Args:
        rule: of the views.
        likeness: correlation of the views of a group.
        groups: of each kind.
        repeats: data sets.
        rate: largest promised rate of overkill.
    """
    rng, asked = np.random.default_rng(0), Contract(views=view_rule(rule), max_overkill=rate)

    def drawn(count: int, is_anomalous: bool) -> np.ndarray:
        shared = rng.normal(size=(count, 1)) * likeness**0.5
        own = rng.normal(size=(count, 3)) * (1 - likeness) ** 0.5
        return shared + own + 2.0 * is_anomalous

    def deciding(count: int) -> GroupScores:
        both = np.concatenate([drawn(count, False), drawn(count, True)])
        pool = PooledScores(
            scores=both.ravel(),
            is_anomalous=np.repeat(np.arange(2 * count) >= count, 3),
            groups=tuple(str(i) for i in range(2 * count) for _ in range(3)),
            centre=0.0,
            scale=1.0,
        )
        return group_scores(pool, asked.views)

    many = [drawn(MANY, is_anomalous) for is_anomalous in (False, True)]
    reduced = {
        "each": (many[0].max(axis=1), many[1].min(axis=1)),
        "any": tuple(one.max(axis=1) for one in many),
        "mean": tuple(one.mean(axis=1) for one in many),
        "2-of-3": tuple(np.sort(one, axis=1)[:, 1] for one in many),
    }[rule]
    truth = [np.sort(one) for one in reduced]

    def rows() -> Iterator[tuple[bool, bool, float]]:
        for _ in range(repeats):
            found = decide(deciding(groups), asked)
            assert isinstance(found, Decision)
            yield verdict(found, truth)

    return counted(rows())


def chosen_broken(settings: int, likeness: float, count: int, repeats: int) -> Broken:
    """A miss promise for the best of many equally good settings, chosen by AUROC on its own groups.

    Args:
        settings: how many there are.
        likeness: correlation of their scores.
        count: groups of each kind.
        repeats: data sets.
    """
    rng = np.random.default_rng(0)
    asked = Contract(views=view_rule("each"), max_miss=largest_rate(count, 1))
    truth = [np.sort(rng.normal(shift, 1.0, MANY)) for shift in (0.0, 2.0)]
    labels = np.arange(2 * count) >= count

    def rows() -> Iterator[tuple[bool, bool, float]]:
        for _ in range(repeats):
            shared = rng.normal(size=2 * count) * likeness**0.5
            own = rng.normal(size=(settings, 2 * count)) * (1 - likeness) ** 0.5
            scores = shared + own + 2.0 * labels
            best = max(scores, key=lambda one: auroc(one, labels))
            found = decide(made(best, labels), asked)
            assert isinstance(found, Decision)
            yield verdict(found, truth)

    return counted(rows())


def promise_rows(repeats: int) -> Iterator[tuple[str, Broken]]:
    """Promises about either error, and lowest costs, for every distribution."""
    each, costs = view_rule("each"), Costs(miss=20, overkill=1, defects=0.05)
    for name, band in product(DRAWS, (0.0, 0.05)):
        contracts = [
            (80, 12, Contract(views=each, reinspect=band, max_miss=0.25)),
            (80, 30, Contract(views=each, reinspect=band, max_miss=0.1)),
            (80, 93, Contract(views=each, reinspect=band, max_miss=0.05)),
            (80, 300, Contract(views=each, reinspect=band, max_miss=0.02)),
            (30, 20, Contract(views=each, reinspect=band, max_overkill=0.1)),
            (60, 20, Contract(views=each, reinspect=band, max_overkill=0.05)),
            (300, 20, Contract(views=each, reinspect=band, max_overkill=0.02)),
            (60, 10, Contract(views=each, reinspect=band, costs=costs)),
            (200, 40, Contract(views=each, reinspect=band, costs=costs)),
        ]
        for normals, defects, asked in contracts:
            title = f"{name:10} {normals:4}+{defects:3} {asked.promised or 'costs'}, band {band}"
            yield title, broken(DRAWS[name], asked, normals, defects, repeats)


def other_rows(repeats: int) -> Iterator[tuple[str, Broken]]:
    """Groups of views, and settings that were chosen."""
    for rule, likeness in product(("each", "any", "mean", "2-of-3"), (0.1, 0.9)):
        found = views_broken(rule, likeness, 60, repeats // 2, 0.05)
        yield f"views {rule}, alike {likeness}", found
    for settings, likeness, count in product((1, 5, 40), (0.5, 0.9), (12, 60)):
        found = chosen_broken(settings, likeness, count, repeats // 2)
        yield f"best of {settings}, alike {likeness}, {count}+{count}", found


def main() -> None:
    """Print a table of broken promises."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print("share of data sets in which the promise, and the other bound, is broken")
    for title, found in chain(promise_rows(repeats), other_rows(repeats)):
        print(f"{title:60} {shown(found)}", flush=True)


def shown(found: Broken) -> str:
    """Both shares."""
    return f"{found.promise:.3f} {found.other:.3f} (other error {found.other_rate:.3f})"


if __name__ == "__main__":
    main()
