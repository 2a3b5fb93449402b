"""Computes the numbers of Table 2: values, differences and floors, next to the paper's."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bearing_search.analysis.comparison import mean_floor
from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.operating.operating_points import BEST_F1, operating_points
from bearing_search.analysis.subsets import by_kind
from bearing_search.config import ProtocolConfig
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.prediction_files import load_predictions
from bearing_search.evaluation.predictions import Predictions
from bearing_search.reproduction.crossed import Crossed, Run
from bearing_search.reproduction.published import (
    ENCODER_STATES,
    MEAN,
    TABLE_2,
    EncoderState,
    detector_titles,
    is_image_metric,
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
class KindRow:
    """One kind of defect of one part, as the first seed of a detector and encoder sees it."""

    detector: str
    encoder: EncoderState
    part: str
    kind: str
    is_in_training: bool
    samples: int
    found: Interval
    """Share of the samples flagged at the threshold with the best F1 on test."""

    image_auroc: Interval
    """Of these samples and all normal ones, like the next."""

    pixel_ap: Interval | None
    """None if no mask marks anything."""


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

    metrics: tuple[str, ...] = field(default_factory=table_metrics)
    """The metrics of the table; none of pixels where no part has a mask."""

    unmasked: Mapping[str, int] = field(default_factory=dict)
    """Part -> anomalous test samples without a mask, which count in metrics of whole images only;
    parts without such samples are left out."""

    kinds: tuple[KindRow, ...] = ()
    """Scores by kind of defect."""

    def has(self, part: str, metric: str) -> bool:
        """Whether a metric is defined on a part; those of pixels need a mask."""
        if part not in self.unmasked or metric not in self.metrics:
            return metric in self.metrics
        return is_image_metric(metric) or self.unmasked[part] < self.parts[part].anomalous

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
    unmasked = {part: int(first[part].is_unmasked.sum()) for part in parts}
    has_pixels = not all(first[part].lacks_pixel_labels for part in parts)
    metrics = tuple(m for m in table_metrics() if has_pixels or is_image_metric(m))
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
        for metric in metrics
    ]
    return TableData(
        lines=tuple(lines),
        parts={part: _facts(first[part]) for part in parts},
        detectors=detectors,
        seeds=tuple(sorted({run.seed for run in runs})),
        num_runs=len(runs),
        metrics=metrics,
        unmasked={part: count for part, count in unmasked.items() if count},
    )


def kind_rows(
    runs: Sequence[Run],
    protocol: ProtocolConfig,
    kinds: Mapping[str, Collection[str]],
) -> tuple[KindRow, ...]:
    """Scores by kind of defect, of the first seed of each detector, encoder and part.

    No fold was held out, so there is no threshold but the one with the best F1 on test itself,
    which is optimistic like F1-max.

    Args:
        runs: the complete runs.
        protocol: how they are scored.
        kinds: part -> kinds of defect in its training data.
    """
    detectors, rows = list(detector_titles()), []
    first: dict[tuple[int, tuple[int, str], int], Run] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        place = (detectors.index(run.detector), _place(run.part), ENCODER_STATES.index(run.encoder))
        first.setdefault(place, run)
    for _, run in sorted(first.items(), key=lambda item: item[0]):
        test = {str(FoldKey(run.part, "all")): load_predictions(run.file)}
        points = operating_points(test, test)
        rows += [
            KindRow(
                detector=run.detector,
                encoder=run.encoder,
                part=run.part,
                kind=row.subset,
                is_in_training=bool(row.is_in_training),
                samples=row.samples,
                found=row.found[BEST_F1],
                image_auroc=row.image_auroc,
                pixel_ap=row.pixel_ap,
            )
            for row in by_kind(test, points, protocol, kinds)
        ]
    return tuple(rows)


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
