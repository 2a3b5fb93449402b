"""Model: scores of pictures that look as in training, and what no other cause explains."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bearing_search.drift_checks import statistics
from bearing_search.drift_checks.findings import (
    Finding,
    Measure,
    PartComparison,
    deviation,
    quantiles,
    state_of,
)
from bearing_search.drift_checks.pictures import JudgedPicture
from bearing_search.drift_checks.sentences import counted, interval
from bearing_search.runtime.reference import NormalSample

LEAST = 0.1
"""Shifts up to this share of the standard deviation of training are never called one."""


def model_finding(part: PartComparison, *, looks_changed: bool) -> Finding:
    """Whether scores have moved although the pictures look as in training.

    Compared are pictures whose brightness and ring lie in the range of training. Those judged NG,
    now and in training, count only if they are the majority, so that a few defects do not look
    like a shift. If light or fixture has changed, scores are compared at equal brightness and size.

    Args:
        part: to compare.
        looks_changed: whether light or fixture has changed.
    """
    before = _rows(part.scored_before)
    alike = _rows([one for one in _alike(part) if one.score is not None])
    if len(before) < 2:
        sentence = "cannot be told: the export has no scores of normal samples that were set aside"
        return Finding(cause="model", state="unknown", sentence=sentence)
    num_scored = sum(one.score is not None for one in part.now)
    if not len(alike):
        return Finding(cause="model", state="unknown", sentence=_too_few(part, 0, num_scored))
    limit = part.thresholds.ng
    below = alike[alike[:, -1] < limit]
    mostly_ng = 2 * len(below) < len(alike)
    kept = alike if mostly_ng else below
    others = before if mostly_ng else before[before[:, -1] < limit]
    found = (
        statistics.adjusted_shift(others, kept, part.confidence)
        if looks_changed
        else statistics.shift(others[:, -1], kept[:, -1], part.confidence)
    )
    spread = deviation(before[:, -1])
    state = state_of(found, spread, LEAST * spread)
    measure = Measure(
        name="score",
        unit="shift of the score" + " at equal brightness and size" * looks_changed,
        bounds=found,
        num_now=len(kept),
        num_training=len(others),
        training=quantiles(before[:, -1]),
        now=quantiles(np.array([o.score for o in part.now if o.score is not None], dtype=float)),
    )
    if state == "unknown":
        sentence = _unknown(part, len(kept), num_scored, found)
        return Finding(cause="model", state=state, sentence=sentence, measures=(measure,))
    seen = f"{counted(len(kept), num_scored)} pictures that look as in training"
    seen += "" if mostly_ng else " and are not NG"
    if state == "same":
        sentence = f"scores of {seen} are as in training {interval(found)}"
        return Finding(cause="model", state=state, sentence=sentence, measures=(measure,))
    word = "higher" if found.value > 0 else "lower"
    sentence = (
        f"scores of {seen} are {word} by {abs(found.value):.3g} {interval(found)}, "
        f"{abs(found.value) / spread if spread else math.inf:.2g} standard deviations of training"
    )
    if mostly_ng:
        sentence += "; most are NG, so this holds unless most of these parts are defective"
    advice = "look at focus, lens, material and surface"
    advice += "" if found.value > 0 else "; defects may pass as OK, so judge known ones"
    advice += ". If the parts are good, train again with such pictures"
    return Finding(
        cause="model", state=state, sentence=sentence, advice=advice, measures=(measure,)
    )


def _alike(part: PartComparison) -> list[JudgedPicture]:
    light = [one.brightness for one in part.before]
    sizes = [one.size_px for one in part.before if one.size_px is not None]
    return [
        one
        for one in part.now
        if one.brightness is not None
        and min(light) <= one.brightness <= max(light)
        and (not sizes or (one.size_px is not None and min(sizes) <= one.size_px <= max(sizes)))
    ]


def _rows(samples: Sequence[JudgedPicture | NormalSample]) -> Float[np.ndarray, "n 3"]:
    rows = [(one.brightness, one.size_px or 0.0, one.score) for one in samples]
    return np.array(rows, dtype=float).reshape(-1, 3)


def _unknown(part: PartComparison, kept: int, total: int, found: statistics.Bounds) -> str:
    if math.isnan(found.low):
        return _too_few(part, kept, total)
    sentence = f"cannot be told: scores may have moved by {interval(found)}"
    needed = statistics.num_needed(len(part.scored_before), part.confidence)
    if needed is None:
        return f"{sentence}; training has only {len(part.scored_before)} scores to compare with"
    if kept < needed:
        return f"{sentence}; about {needed} pictures that look as in training would tell"
    return sentence


def _too_few(part: PartComparison, kept: int, total: int) -> str:
    sentence = f"cannot be told: {counted(kept, total)} scored pictures look as in training"
    return f"{sentence}; restore light and fixture first" if kept < total else sentence
