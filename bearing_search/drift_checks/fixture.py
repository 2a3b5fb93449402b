"""Fixture: size and place of the ring or ellipse, and pictures in which none is found."""

import math

import numpy as np

from bearing_search.drift_checks import statistics
from bearing_search.drift_checks.findings import (
    Finding,
    Measure,
    PartComparison,
    State,
    deviation,
    quantiles,
    state_of,
    worst,
)
from bearing_search.drift_checks.sentences import counted, interval, narrower, percent_change

LEAST = 0.005
"""Changes of the radius, and of the place in radii, up to .5 % are never called one."""


def fixture_finding(part: PartComparison) -> Finding:
    """Whether the part lies elsewhere, or appears in another size, than in training."""
    if not part.has_shape:
        sentence = "cannot be told: the part is used whole, no ring or ellipse is looked for"
        return Finding(cause="fixture", state="unknown", sentence=sentence)
    missing, state_of_missing, said_of_missing = _missing(part)
    before = np.array([_shape(one) for one in part.before if one.size_px is not None], dtype=float)
    now = np.array([_shape(one) for one in part.now if one.size_px is not None], dtype=float)
    measures, states, said = [missing], [state_of_missing], [said_of_missing]
    if len(before) and len(now):
        for one in (_size(part, before, now), *_places(part, before, now)):
            measures.append(one[0])
            states.append(one[1])
            said.append(one[2])
    else:
        states.append("unknown")
    state = worst(states)
    if state == "changed":
        return Finding(
            cause="fixture",
            state=state,
            sentence="; ".join(filter(None, said)),
            advice="check the holder, the distance and the zoom of the camera",
            measures=tuple(measures),
        )
    if state == "unknown":
        open_ = [one for one, own in zip(measures, states, strict=False) if own == "unknown"]
        said = [f"{_TITLES[one.name]} may have changed by {_range(one)}" for one in open_]
        sentence = f"cannot be told: {'; '.join(said) or 'no ring to compare'}"
        sentence += narrower(part, len(before))
        return Finding(cause="fixture", state=state, sentence=sentence, measures=tuple(measures))
    sentence = f"size and place of the ring as in training; {_count_of_missing(part)}"
    return Finding(cause="fixture", state=state, sentence=sentence, measures=tuple(measures))


_TITLES = {"size_px": "the radius", "x": "x of the centre", "y": "y of the centre"}


def _range(measure: Measure) -> str:
    bounds = measure.bounds
    if math.isnan(bounds.low):
        return "any amount"
    if measure.name == "size_px":
        return f"{interval(statistics.scaled(bounds, 100))} %"
    return f"{interval(bounds)} px"


def _shape(one: object) -> tuple[float, float, float]:
    size, centre = getattr(one, "size_px", 0.0), getattr(one, "centre", None) or (0.0, 0.0)
    return (float(size), float(centre[0]), float(centre[1]))


def _missing(part: PartComparison) -> tuple[Measure, State, str]:
    now = (part.num_no_roi, part.num_no_roi + len(part.now))
    reference = part.reference
    before = (reference.num_no_roi, reference.num_no_roi + reference.num_roi)
    measure = Measure(
        name="no_roi",
        unit="share of pictures without a region of interest",
        bounds=statistics.rate(*now, part.confidence),
        num_now=now[1],
        num_training=before[1],
        training=(before[0] / before[1],) if before[1] else (),
    )
    differs = now[1] > 0 and statistics.rates_differ(now, before, part.confidence)
    return measure, "changed" if differs else "same", _count_of_missing(part) if differs else ""


def _count_of_missing(part: PartComparison) -> str:
    reference = part.reference
    before = counted(reference.num_no_roi, reference.num_no_roi + reference.num_roi)
    now = counted(part.num_no_roi, part.num_no_roi + len(part.now))
    return f"{now} without a region of interest, {before} in training"


def _size(part: PartComparison, before: np.ndarray, now: np.ndarray) -> tuple[Measure, State, str]:
    logs = np.log(before[:, 0]), np.log(now[:, 0])
    change = statistics.shift(*logs, part.confidence)
    bounds = statistics.Bounds(
        value=math.expm1(change.value), low=math.expm1(change.low), high=math.expm1(change.high)
    )
    measure = Measure(
        name="size_px",
        unit="relative change of the radius or half major axis",
        bounds=bounds,
        num_now=len(now),
        num_training=len(before),
        training=quantiles(before[:, 0]),
        now=quantiles(now[:, 0]),
    )
    state = state_of(change, deviation(logs[0]), LEAST)
    said = (
        f"ring {percent_change(bounds.value, 'smaller', 'larger')} than in training "
        f"[{100 * bounds.low:+.3g}, {100 * bounds.high:+.3g}]"
    )
    return measure, state, said if state == "changed" else ""


def _places(
    part: PartComparison, before: np.ndarray, now: np.ndarray
) -> list[tuple[Measure, State, str]]:
    found: list[tuple[Measure, State, str]] = []
    radius = float(np.median(before[:, 0]))
    for column, name, words in ((1, "x", ("left", "right")), (2, "y", ("up", "down"))):
        bounds = statistics.shift(before[:, column], now[:, column], part.confidence)
        measure = Measure(
            name=name,
            unit="px that the centre moved",
            bounds=bounds,
            num_now=len(now),
            num_training=len(before),
            training=quantiles(before[:, column]),
            now=quantiles(now[:, column]),
        )
        state = state_of(bounds, deviation(before[:, column]), LEAST * radius)
        said = (
            f"centre {abs(bounds.value):.3g} px further {words[bounds.value > 0]} "
            f"[{bounds.low:+.3g}, {bounds.high:+.3g}]"
        )
        found.append((measure, state, said if state == "changed" else ""))
    return found
