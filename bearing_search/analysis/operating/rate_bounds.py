"""How large the rate of an error may be, given how often it was seen: exact, one-sided bounds."""

import math
from functools import cache, lru_cache

import numpy as np
from scipy.stats import beta

from bearing_search.analysis.intervals import LEVEL

_DRAWS = 4000
"""Simulated data sets from which the level of simultaneous bounds is taken."""


@lru_cache(maxsize=4096)  # a search for the errors allowed asks for the same ones again
def largest_rate(trials: int, errors: int = 0, confidence: float = LEVEL) -> float:
    """One-sided upper bound of a rate (Clopper and Pearson 1934); 1 without a trial.

    Raises:
        ValueError: `errors` outside [0, `trials`].
    """
    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} of {trials} is not a rate")
    if errors == trials:
        return 1.0
    if errors == 0:
        return 1.0 - float((1 - confidence) ** (1 / trials))
    return float(beta.ppf(confidence, errors + 1, trials - errors))


def trials_needed(rate: float, errors: int = 0, confidence: float = LEVEL) -> int:
    """Smallest number of trials with that many errors that bounds the rate by `rate`, in (0, 1)."""
    fewest = math.ceil(math.log(1 - confidence) / math.log(1 - rate))
    if errors == 0:
        return fewest
    low, high = errors, max(fewest, errors + 1)
    while largest_rate(high, errors, confidence) > rate:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if largest_rate(middle, errors, confidence) > rate:
            low = middle
        else:
            high = middle
    return high


def errors_allowed(trials: int, rate: float, confidence: float = LEVEL) -> int | None:
    """Most errors among the trials that still bound the rate by `rate`; None: not even none do."""
    if largest_rate(trials, 0, confidence) > rate:
        return None
    low, high = 0, trials  # with as many errors as trials the bound is 1
    while high - low > 1:
        middle = (low + high) // 2
        if largest_rate(trials, middle, confidence) > rate:
            high = middle
        else:
            low = middle
    return low


@cache
def simultaneous_confidence(trials: int, confidence: float = LEVEL) -> float:
    """The confidence that each bound needs, so that those of all thresholds hold together.

    `largest_rate` bounds the rate at a threshold that was fixed beforehand. One that was chosen by
    these very trials, as the cheapest is, needs bounds that hold wherever it lies. Each is raised
    by as much, until all of them hold with `confidence` (equal local levels: Aldor-Noiman et al.
    2013); the level is taken from 4,000 simulated sets, always the same ones.
    """
    if trials < 2:
        return confidence
    draws = np.sort(np.random.default_rng(0).random((_DRAWS, trials)), axis=1)
    ranks = np.arange(1, trials + 1)
    # the rate at the r-th highest of them is the r-th smallest of uniform numbers
    highest = beta.cdf(draws, ranks, trials + 1 - ranks).max(axis=1)
    return float(np.quantile(highest, confidence, method="higher"))
