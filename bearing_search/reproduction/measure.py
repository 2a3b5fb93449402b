"""Computes the numbers of Table 2: values, differences and floors, next to the paper's."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bearing_search.analysis.comparison import mean_floor
from bearing_search.analysis.intervals import Interval
from bearing_search.config import ProtocolConfig
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.predictions import Predictions, load_predictions
from bearing_search.reproduction.crossed import Crossed, Run
from bearing_search.reproduction.published import (
    ENCODER_STATES,
    MEAN,
    TABLE_2,
    EncoderState,
    detector_titles,
    published,
    table_metrics,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """One metric of one detector on one part, or averaged over parts."""

    detector: str
    part: str
    metric: str
    values: Mapping[EncoderState, Interval]
    """Mean over seeds; NaN if no run of this kind is complete."""

    difference: Interval
    """EN_train minus EN_pre, on the same samples and seeds."""

    floor: float
    """The metric of a constant score for all samples and pixels."""

    paper: Mapping[EncoderState, float | None]

    @property
    def verdict(self) -> str:
        """`higher`, `lower` or `undecided`; empty if the difference has no interval."""
        if math.isnan(self.difference.low):
            return ""
        if self.difference.low > 0:
            return "higher"
        return "lower" if self.difference.high < 0 else "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSummary:
    """Numbers of test samples on which a part was scored."""

    normal: int
    anomalous: int
    groups: int
    no_roi: int
    missed_regions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableData:
    """All numbers of the table."""

    lines: tuple[ComparisonRow, ...]
    parts: Mapping[str, PartSummary]
    detectors: tuple[str, ...]
    seeds: tuple[int, ...]
    num_runs: int
    """Number of trained models times parts: how often test was read."""

    def line(self, detector: str, part: str, metric: str) -> ComparisonRow:
        """The row of a detector, part and metric."""
        wanted = (detector, part, metric)
        return next(x for x in self.lines if (x.detector, x.part, x.metric) == wanted)

    @property
    def rows(self) -> tuple[str, ...]:
        """The parts, and their mean if there are several."""
        return (*self.parts, MEAN) if len(self.parts) > 1 else tuple(self.parts)


def table_data(
    runs: Sequence[Run],
    protocol: ProtocolConfig,
    *,
    on_run: Callable[[int], None] = lambda done: None,
) -> TableData:
    """Compute every number of the table.

    Args:
        runs: the complete runs, at least one; missing combinations leave gaps.
        protocol: how they are scored.
        on_run: called with the number of runs read so far.

    Raises:
        ValueError: two runs of one part were scored on different samples.
    """
    parts = tuple(sorted({run.part for run in runs}, key=_place))
    detectors = tuple(sorted({run.detector for run in runs}, key=list(detector_titles()).index))
    seen = Crossed(parts)
    first: dict[str, Predictions] = {}
    for number, run in enumerate(runs, start=1):
        scored = load_predictions(run.file)
        if scored.names != first.setdefault(run.part, scored).names:
            raise ValueError(f"{run.part}: its runs were scored on different samples")
        seen.add(run, scored, protocol)
        on_run(number)
    floors = mean_floor({str(FoldKey(p, "all")): first[p] for p in parts}, protocol)
    floors |= {f"{MEAN}/{name}": floors[name] for name in METRICS}
    lines = [
        ComparisonRow(
            detector=detector,
            part=part,
            metric=metric,
            values={e: seen.value(detector, e, part, metric) for e in ENCODER_STATES},
            difference=seen.difference(detector, part, metric),
            floor=floors.get(f"{part}/{metric}", math.nan),
            paper={e: published(detector, e, part, metric) for e in ENCODER_STATES},
        )
        for detector in detectors
        for part in ((*parts, MEAN) if len(parts) > 1 else parts)
        for metric in table_metrics()
    ]
    return TableData(
        lines=tuple(lines),
        parts={part: _facts(first[part]) for part in parts},
        detectors=detectors,
        seeds=tuple(sorted({run.seed for run in runs})),
        num_runs=len(runs),
    )


def _place(part: str) -> tuple[int, str]:
    """Sort key: the paper's parts in the paper's order, then others by name."""
    papers = [name for name in next(iter(TABLE_2.values()))["EN_pre"] if name != MEAN]
    return (papers.index(part) if part in papers else len(papers), part)


def _facts(scored: Predictions) -> PartSummary:
    anomalous = int(scored.is_anomalous.sum())
    return PartSummary(
        normal=len(scored.names) - anomalous,
        anomalous=anomalous,
        groups=len(set(scored.groups)),
        no_roi=scored.num_no_roi,
        missed_regions=scored.missed_regions,
    )
