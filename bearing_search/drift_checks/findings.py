"""What is said about one cause of drift, and what it is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from bearing_search.drift_checks.pictures import JudgedPicture
from bearing_search.drift_checks.statistics import Bounds
from bearing_search.runtime.reference import NormalReference, NormalSample
from bearing_search.runtime.schema import QUANTILES
from bearing_search.runtime.verdict import Thresholds

Cause = Literal["light", "fixture", "model", "mix"]

State = Literal["same", "changed", "unknown"]
"""`changed`: the interval excludes what it was in training. `same`: the interval is narrow enough
to exclude a change of one standard deviation of training. `unknown`: neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that a cause is judged by, with its interval."""

    name: str
    unit: str
    bounds: Bounds
    num_now: int
    num_training: int
    training: tuple[float, ...] = ()
    """Quantiles (`QUANTILES`) of training; of a share, the share."""

    now: tuple[float, ...] = ()
    """The same of the pictures of today."""

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON types; a bound that is not known is null."""
        bounds = self.bounds
        numbers = {"value": bounds.value, "low": bounds.low, "high": bounds.high}
        return {
            "name": self.name,
            "unit": self.unit,
            **{key: None if np.isnan(one) else one for key, one in numbers.items()},
            "num_now": self.num_now,
            "num_training": self.num_training,
            "training": list(self.training),
            "now": list(self.now),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is said about one cause."""

    cause: Cause
    state: State
    sentence: str
    advice: str = ""
    """What to do; empty: nothing."""

    measures: tuple[Measure, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        return {
            "cause": self.cause,
            "state": self.state,
            "sentence": self.sentence,
            "advice": self.advice,
            "measures": [one.as_json() for one in self.measures],
        }


@dataclass(frozen=True, kw_only=True)
class PartComparison:
    """Pictures of one part, beside its normal training samples."""

    part: str
    reference: NormalReference
    thresholds: Thresholds
    pictures: Sequence[JudgedPicture]
    confidence: float
    """Of each interval."""

    usual_ng: float | None = None
    """Share of NG that is usual on the line; None: not known."""

    @cached_property
    def before(self) -> list[NormalSample]:
        """Training samples."""
        return list(self.reference.samples)

    @cached_property
    def scored_before(self) -> list[NormalSample]:
        """Training samples that the model has not seen."""
        return [one for one in self.before if one.score is not None]

    @cached_property
    def now(self) -> list[JudgedPicture]:
        """Pictures with a region of interest."""
        return [one for one in self.pictures if one.brightness is not None]

    @property
    def num_no_roi(self) -> int:
        """Pictures without a region of interest."""
        return sum(one.word == "no ROI" for one in self.pictures)

    @property
    def has_shape(self) -> bool:
        """Whether a ring or an ellipse is looked for."""
        return any(one.size_px is not None for one in self.before)


def quantiles(values: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    """Quantiles (`QUANTILES`); empty without a value."""
    return tuple(float(one) for one in np.quantile(values, QUANTILES)) if len(values) else ()


def deviation(values: Float[np.ndarray, " n"]) -> float:
    """Standard deviation by the quartiles, which outliers do not move; 0 without a value."""
    if not len(values):
        return 0.0
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low) / 1.349


def state_of(bounds: Bounds, spread: float, least: float) -> State:
    """What an interval of a shift says.

    Args:
        bounds: of the shift.
        spread: standard deviation in training.
        least: changes up to this size are never called one.
    """
    if bounds.low > least or bounds.high < -least:
        return "changed"
    wide = max(spread, least)
    return "same" if -wide <= bounds.low and bounds.high <= wide else "unknown"


def worst(states: Sequence[State]) -> State:
    """`changed` if one is, else `unknown` if one is."""
    order: tuple[State, ...] = ("changed", "unknown", "same")
    return next((one for one in order if one in states), "unknown")
