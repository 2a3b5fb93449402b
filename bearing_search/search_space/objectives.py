"""Objectives and constraints of a search."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Literal

from bearing_search.errors import ConfigError
from bearing_search.evaluation.metric_table import METRICS, Direction
from bearing_search.measurement import COST_S, IMAGE_OBJECTIVE, OBJECTIVE, TRAIN_GFLOP

Sense = Literal[">=", "<="]

_CONSTRAINT = re.compile(r"(\S+)\s*(>=|<=)\s*(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric of a finished trial to maximise or minimise."""

    metric: str
    direction: Direction

    def __str__(self) -> str:
        return f"{self.metric} ({self.direction})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A bound that a metric of a finished trial must satisfy."""

    metric: str
    sense: Sense
    bound: float

    def missed_by(self, value: float) -> float:
        """Violation relative to the bound, comparable across metrics; satisfied if <= 0."""
        beyond = self.bound - value if self.sense == ">=" else value - self.bound
        return beyond / abs(self.bound) if self.bound else beyond

    def __str__(self) -> str:
        return f"{self.metric} {self.sense} {self.bound:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveValues:
    """Objective and constraint values of a finished trial."""

    scores: Mapping[str, float] = field(default_factory=dict)
    """Metric -> value for all objectives and constraints except the first objective."""

    missed: Mapping[str, float] = field(default_factory=dict)
    """Constraint -> violation (see `Constraint.missed_by`); satisfied if at most 0."""

    @property
    def is_feasible(self) -> bool:
        """Whether all constraints are satisfied."""
        return all(share <= 0 for share in self.missed.values())

    @property
    def text(self) -> str:
        """`misses val/image_auroc >= 0.9`; empty if all constraints are satisfied."""
        missed = [constraint for constraint, share in self.missed.items() if share > 0]
        return f"misses {' and '.join(missed)}" if missed else ""


def mean_objective_values(runs: Sequence[ObjectiveValues]) -> ObjectiveValues:
    """Mean over the runs of one setting in one search."""
    return ObjectiveValues(
        scores={name: fmean(run.scores[name] for run in runs) for name in runs[0].scores},
        missed={name: fmean(run.missed[name] for run in runs) for name in runs[0].missed},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSpec:
    """Objectives, the first of which ranks the settings, and constraints."""

    objectives: tuple[Objective, ...] = (Objective(metric=OBJECTIVE, direction="max"),)
    constraints: tuple[Constraint, ...] = ()
    names_first: bool = False
    """Whether the space names the first objective; if not, the labels of the data decide."""

    def with_first(self, metric: str) -> "ObjectiveSpec":
        """The same with another first objective, to be maximised."""
        return replace(self, objectives=(Objective(metric=metric, direction="max"), *self.others))

    @property
    def others(self) -> tuple[Objective, ...]:
        """The objectives after the first."""
        return self.objectives[1:]

    @property
    def metrics(self) -> list[str]:
        """Metrics used besides the first objective, without duplicates."""
        asked = [one.metric for one in self.others] + [one.metric for one in self.constraints]
        return list(dict.fromkeys(asked))

    def missing(self, measured: Mapping[str, float]) -> list[str]:
        """Required metrics that a trial lacks."""
        return [name for name in self.metrics if math.isnan(measured.get(name, math.nan))]

    def values_of(self, measured: Mapping[str, float]) -> ObjectiveValues:
        """Values of a finished trial, from its last measurement, which has every metric."""
        return ObjectiveValues(
            scores={name: measured[name] for name in self.metrics},
            missed={str(one): one.missed_by(measured[one.metric]) for one in self.constraints},
        )


def objective_spec(objectives: Any, constraints: Any) -> ObjectiveSpec:
    """The `objectives` and `constraints` of a search-space file; None: not given.

    Raises:
        ConfigError: an entry is malformed, or names an unknown metric or the wrong direction.
    """
    found = ObjectiveSpec()
    if objectives is not None:
        found = ObjectiveSpec(objectives=_objectives(objectives), names_first=True)
    if constraints is not None:
        found = replace(found, constraints=_constraints(constraints))
    return found


def _objectives(listed: Any) -> tuple[Objective, ...]:
    example = f"[{OBJECTIVE}: max, {TRAIN_GFLOP}: min]"
    if not isinstance(listed, list) or not listed:
        raise ConfigError(f"objectives: expected a list, as in {example}")
    found = []
    for entry in listed:
        match entry:
            case dict() if len(entry) == 1:
                (metric, direction), *_ = entry.items()
            case _:
                raise ConfigError(f"objectives: found {entry!r}; expected a list, as in {example}")
        better = _better(metric, "objectives")
        if direction != better:
            raise ConfigError(f"objectives: {metric} is {direction!r}; better is {better}")
        found.append(Objective(metric=metric, direction=better))
    names = [one.metric for one in found]
    if len(set(names)) != len(names):
        raise ConfigError(f"objectives: {', '.join(names)}: a metric appears twice")
    if names[0] not in (OBJECTIVE, IMAGE_OBJECTIVE):
        raise ConfigError(
            f"objectives: {names[0]} comes first; the first must be {OBJECTIVE}, or "
            f"{IMAGE_OBJECTIVE}, which ranks the settings"
        )
    return tuple(found)


def _constraints(listed: Any) -> tuple[Constraint, ...]:
    example = f"[val/image_auroc >= .9, {TRAIN_GFLOP} <= 1e6]"
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        raise ConfigError(f"constraints: expected a list of bounds, as in {example}")
    found = [_constraint(entry, example) for entry in listed]
    if len({one.metric for one in found}) != len(found):
        raise ConfigError(f"constraints: {', '.join(map(str, found))}: a metric appears twice")
    return tuple(found)


def _constraint(text: str, example: str) -> Constraint:
    match = _CONSTRAINT.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"constraints: {text!r} is not a bound; expected a list, as in {example}")
    metric, sense, number = match.groups()
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise ConfigError(f"constraints: {text!r}: {number} is not a number")
    if _better(metric, "constraints") == "min":
        if sense == ">=" or bound <= 0:
            raise ConfigError(f"constraints: {text!r}: {metric} takes an upper bound above 0")
        return Constraint(metric=metric, sense="<=", bound=bound)
    if sense == "<=" or not 0 <= bound <= 1:
        raise ConfigError(f"constraints: {text!r}: {metric} takes a lower bound of 0 to 1")
    return Constraint(metric=metric, sense=">=", bound=bound)


def _better(metric: Any, where: str) -> Direction:
    known = _directions()
    if metric not in known:
        raise ConfigError(f"{where}: {metric} is not one of {', '.join(known)}")
    return known[metric]


def _directions() -> Mapping[str, Direction]:
    """Metric -> better direction, for all metrics that a search can use."""
    costs: dict[str, Direction] = {TRAIN_GFLOP: "min", COST_S: "min"}
    return {f"val/{name}": metric.direction for name, metric in METRICS.items()} | costs
