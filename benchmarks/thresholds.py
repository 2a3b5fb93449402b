"""Measure whether the threshold of `evaluate` keeps its promise: at most 5 % false alarms.

Detectors of several kinds are fitted to drawn normal samples in folds, a threshold is made for the
final model, and new normal samples are counted. `naive` takes the folds' scores as they are.
"""

import argparse
from collections.abc import Callable
from itertools import product

import numpy as np

from bearing_search.analysis.contracts.contract import Contract
from bearing_search.analysis.contracts.decision import Decision, decide
from bearing_search.analysis.contracts.views import group_scores, view_rule
from bearing_search.analysis.operating.rate_bounds import largest_rate
from bearing_search.analysis.operating.thresholds import (
    ALPHA,
    FoldScores,
    pooled_scores,
    promised_threshold,
    standardised_scores,
)

DIMS, PATCHES = 12, 6
SHIFT = 0.7
"""Of all features of a defect."""

Scorer = Callable[[np.ndarray], np.ndarray]


def padim(train: np.ndarray, rng: np.random.Generator) -> Scorer:
    """Mahalanobis distances, which shrink as more normal samples are seen; samples by maximum."""
    flat = train.reshape(-1, DIMS)[:: PATCHES // 2]  # few observations per dimension, as there
    inverse = np.linalg.inv(np.cov(flat.T) + 0.01 * np.eye(DIMS))
    centre = flat.mean(axis=0)

    def score(samples: np.ndarray) -> np.ndarray:
        shift = samples - centre
        return np.sqrt(np.einsum("npd,de,npe->np", shift, inverse, shift)).max(axis=1)

    return score


def patchcore(train: np.ndarray, rng: np.random.Generator) -> Scorer:
    """Distance to the nearest stored patch, which shrinks too."""
    memory = train.reshape(-1, DIMS)
    memory = memory[rng.choice(len(memory), max(1, len(memory) // 4), replace=False)]

    def score(samples: np.ndarray) -> np.ndarray:
        distances = (samples**2).sum(-1)[..., None] - 2 * samples @ memory.T + (memory**2).sum(-1)
        return np.sqrt(np.maximum(distances, 0).min(-1)).max(axis=1)

    return score


def decoder(train: np.ndarray, rng: np.random.Generator) -> Scorer:
    """A network's error: every training ends at another scale, lower with more samples."""
    scale = np.exp(0.3 * rng.normal()) * (1 + 8 / len(train))
    offset = 0.5 * rng.normal()
    return lambda samples: offset + scale * np.abs(samples).mean(axis=(1, 2)) ** 2


def heavy(train: np.ndarray, rng: np.random.Generator) -> Scorer:
    """Scores with a long upper tail (log-normal) at a scale of their own."""
    scale = np.exp(0.5 * rng.normal())
    return lambda samples: scale * np.exp(samples[:, 0, 0])


DETECTORS = {"padim": padim, "patchcore": patchcore, "decoder": decoder, "heavy": heavy}


def overkill(
    name: str, normals: int, folds: int, repeats: int, *, seed: int = 0
) -> tuple[float, float, float]:
    """Mean share of new normal samples that are flagged, its standard error, and the naive share.

    NaN where too few normal samples make a promise impossible.
    """
    fit, shares, naive = DETECTORS[name], [], []
    for repeat in range(repeats):
        rng = np.random.default_rng((seed, repeat))
        samples = rng.normal(size=(normals, PATCHES, DIMS))
        place = np.arange(normals) % folds
        held_out = []
        for k in range(folds):
            scores = fit(samples[place != k], rng)(samples[place == k])
            held_out.append(normal_scores(scores, np.flatnonzero(place == k)))
        final = fit(samples[place != 0], rng)
        aside = np.flatnonzero(place == 0)
        pool = pooled_scores(held_out, normal_scores(final(samples[aside]), aside))
        limit = None if pool is None else promised_threshold(pool)
        if limit is None:
            return float("nan"), float("nan"), float("nan")
        new = rng.normal(size=(300, PATCHES, DIMS))
        shares.append((final(new) >= limit).mean())
        raw = pooled_scores(held_out)
        assert raw is not None
        whole = fit(samples, rng)
        naive.append((whole(new) >= (promised_threshold(raw) or np.inf)).mean())
    return float(np.mean(shares)), float(np.std(shares) / repeats**0.5), float(np.mean(naive))


def broken_contracts(
    name: str, counts: tuple[int, int], folds: int, repeats: int, asked: Contract
) -> tuple[float, float]:
    """How often a newly trained model breaks what `threshold` promised, and the mean of its rate.

    The model is trained on all but one fold, whose normal samples give the unit of its scores.

    Args:
        name: of the detector.
        counts: normal samples and defects.
        folds: of the search.
        repeats: trainings.
        asked: the promise.
    """
    fit, rates = DETECTORS[name], []
    assert asked.promised is not None
    side, limit = asked.promised
    for repeat in range(repeats):
        rng = np.random.default_rng((1, repeat))
        normals, defects = (rng.normal(size=(count, PATCHES, DIMS)) for count in counts)
        defects += SHIFT
        place, theirs = np.arange(counts[0]) % folds, np.arange(counts[1]) % folds
        held_out = []
        for k in range(folds):
            model = fit(normals[place != k], rng)
            scores = model(np.concatenate([normals[place == k], defects[theirs == k]]))
            held_out.append(
                FoldScores(
                    scores=scores,
                    is_anomalous=np.arange(len(scores)) >= (place == k).sum(),
                    groups=tuple(f"{k} {i}" for i in range(len(scores))),
                )
            )
        pool = standardised_scores(held_out)
        assert pool is not None
        found = decide(group_scores(pool, asked.views), asked)
        assert isinstance(found, Decision), found
        final = fit(normals[place != 0], rng)
        aside = final(normals[place == 0])
        threshold = aside.mean() + found.chosen.ng_from * aside.std(ddof=1)
        new = rng.normal(size=(1000, PATCHES, DIMS)) + SHIFT * (side == "miss")
        is_flagged = final(new) >= threshold
        rates.append(float((~is_flagged if side == "miss" else is_flagged).mean()))
    return float((np.array(rates) > limit).mean()), float(np.mean(rates))


def normal_scores(scores: np.ndarray, positions: np.ndarray) -> FoldScores:
    """Scores of normal samples, each of which is a group of its own."""
    return FoldScores(
        scores=scores,
        is_anomalous=np.zeros(len(scores), dtype=bool),
        groups=tuple(map(str, positions)),
    )


def print_contracts(repeats: int) -> None:
    """Print how often models that are trained anew break the least that the data can promise."""
    each = view_rule("each")
    print("promise: broken by this share of trainings, mean rate")
    for name, folds, confidence in product(DETECTORS, (2, 5), (0.95, 0.99)):
        for counts, side, errors in (
            ((60, 20), "max_overkill", 0),
            ((300, 20), "max_overkill", 1),
            ((60, 30), "max_miss", 0),
            ((60, 93), "max_miss", 1),
        ):
            rate = largest_rate(counts[side == "max_miss"], errors, confidence)
            asked = Contract(
                views=each,
                confidence=confidence,
                max_miss=rate if side == "max_miss" else None,
                max_overkill=rate if side == "max_overkill" else None,
            )
            share, mean = broken_contracts(name, counts, folds, repeats, asked)
            title = f"{name:10} {counts[0]:4}+{counts[1]:3} {folds} folds {side} {rate:.3f}"
            print(f"{title:50} at {confidence}: {share:.3f} {mean:.3f}", flush=True)


def main() -> None:
    """Print a table of measured false alarms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--contracts", action="store_true", help="the promises of `threshold`")
    given = parser.parse_args()
    if given.contracts:
        print_contracts(given.repeats)
    else:
        print_false_alarms(given.repeats)


def print_false_alarms(repeats: int) -> None:
    """Print the share of new normal samples that the threshold of `evaluate` flags."""
    print(f"promised: {ALPHA:.0%}; measured, standard error, with the folds' scores as they are")
    for name in DETECTORS:
        for normals in (20, 30, 60, 120):
            for folds in (2, 3, 5):
                share, error, naive = overkill(name, normals, folds, repeats)
                print(f"{name:10} {normals:4} {folds}  {share:.3f} {error:.3f}  {naive:.3f}")


if __name__ == "__main__":
    main()
