"""Light: brightness of the region of interest, now and in training."""

import math

import numpy as np

from bearing_search.drift_checks import statistics
from bearing_search.drift_checks.findings import (
    Finding,
    Measure,
    PartComparison,
    deviation,
    quantiles,
    state_of,
    worst,
)
from bearing_search.drift_checks.sentences import (
    counted,
    effect_on_scores,
    narrower,
    percent_change,
)

LEAST = 0.01
"""Changes of brightness up to 1 % are never called one."""

_DARKEST = 0.5
"""Grey level that stands for black, which has no logarithm."""


def light_finding(part: PartComparison) -> Finding:
    """Whether pictures are darker or brighter than in training."""
    before = np.array([one.brightness for one in part.before], dtype=float)
    now = np.array([one.brightness for one in part.now], dtype=float)
    if not len(before) or not len(now):
        return Finding(cause="light", state="unknown", sentence="no picture to compare")
    logs = [np.log(np.maximum(values, _DARKEST)) for values in (before, now)]
    change = statistics.shift(logs[0], logs[1], part.confidence)
    ratio = statistics.Bounds(
        value=math.expm1(change.value), low=math.expm1(change.low), high=math.expm1(change.high)
    )
    beyond = int(((now < before.min()) | (now > before.max())).sum())
    share = statistics.rate(beyond, len(now), part.confidence)
    is_beyond = statistics.too_many_beyond(beyond, len(now), len(before), part.confidence)
    level = state_of(change, deviation(logs[0]), LEAST)
    state = worst([level, "changed" if is_beyond else "same"])
    measures = (
        Measure(
            name="brightness",
            unit="relative change of the mean grey level",
            bounds=ratio,
            num_now=len(now),
            num_training=len(before),
            training=quantiles(before),
            now=quantiles(now),
        ),
        Measure(
            name="beyond",
            unit="share of pictures beyond the range of training",
            bounds=share,
            num_now=len(now),
            num_training=len(before),
            training=(2 / (len(before) + 1),),
        ),
    )
    outside = f"{counted(beyond, len(now))} beyond its range"
    if state == "unknown":
        sentence = f"between {percent_change(ratio.low, 'darker', 'brighter')} and "
        sentence += f"{percent_change(ratio.high, 'darker', 'brighter')} than in training"
        if math.isnan(ratio.low):
            sentence = "too few pictures for any interval"
        sentence += f": cannot be told{narrower(part, len(before))}"
        return Finding(cause="light", state=state, sentence=sentence, measures=measures)
    if state == "same":
        sentence = f"as in training, within {_within(ratio)}"
        return Finding(cause="light", state=state, sentence=sentence, measures=measures)
    sentence = (
        f"{percent_change(ratio.value, 'darker', 'brighter')} than in training "
        f"[{100 * min(abs(ratio.low), abs(ratio.high)):.3g}, "
        f"{100 * max(abs(ratio.low), abs(ratio.high)):.3g}]"
        if level == "changed"
        else "as bright as in training on average"
    )
    sentence += f"; {outside}; {effect_on_scores(part)}"
    advice = "restore lamp, exposure and gain, or train with pictures in this light"
    return Finding(cause="light", state=state, sentence=sentence, advice=advice, measures=measures)


def _within(ratio: statistics.Bounds) -> str:
    return f"{100 * max(abs(ratio.low), abs(ratio.high)):.2g} %"
