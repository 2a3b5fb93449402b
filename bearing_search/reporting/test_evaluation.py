"""Results of `evaluate` on test: tuned and frozen encoder with intervals, floors, difference."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bearing_search.analysis.comparison import (
    FoldPredictions,
    are_comparable,
    difference_intervals,
    mean_floor,
    score_intervals,
)
from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.operating.operating_points import (
    OperatingPoint,
    group_counts,
    group_verdicts,
    operating_points,
)
from bearing_search.analysis.operating.stress import StressedPart, stressed_parts
from bearing_search.analysis.subsets import SubsetRow, by_kind, by_level_left_out, by_size
from bearing_search.config import PostprocessConfig, ProtocolConfig, parse, to_plain
from bearing_search.data.fold_key import FoldKey
from bearing_search.filesystem.stored_file import naming_damage, read_json_object


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of one part, or of the mean over parts."""

    name: str
    """`pixel_aupro`, or `LC/pixel_aupro`."""

    tuned: Interval | None
    """With the fine-tuned encoder; None if the setting leaves the encoder frozen."""

    frozen: Interval
    """With the frozen encoder."""

    difference: Interval | None
    """Tuned minus frozen, paired; None if there is no tuned one, or if they were scored on
    different samples."""

    floor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Results on the test set."""

    sweep: str
    trial: int
    opened: str
    """Time of this evaluation, in ISO 8601."""

    times_opened: int
    samples: Mapping[str, tuple[int, int]]
    """Part -> number of normal and of anomalous test samples that were scored."""

    no_roi: int
    missed_regions: int
    protocol: Mapping[str, Any]
    postprocess: Mapping[str, Any]
    lines: tuple[MetricRow, ...]
    rates: tuple[OperatingPoint, ...] = ()
    """Rates of samples."""

    calibration: Mapping[str, int] = field(default_factory=dict)
    """Part -> number of normal samples of train that were set aside to calibrate thresholds."""

    verdicts: tuple[OperatingPoint, ...] = ()
    """Rates of physical things, each flagged if any of its samples is; empty where each is one
    sample."""

    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Part -> number of groups with a normal and with an anomalous sample."""

    kinds: tuple[SubsetRow, ...] = ()
    """Scores by kind of defect."""

    sizes: tuple[SubsetRow, ...] = ()
    """Scores by size of defect, in patches of the detector's grid."""

    levels: tuple[SubsetRow, ...] = ()
    """Scores without one brightness level; empty where all levels share one map."""

    stress: tuple[StressedPart, ...] = ()
    """Scores of normal test samples with changed light, camera or a drawn dent; empty: not made."""

    notes: tuple[str, ...] = ()
    """Further caveats."""

    objective: str = "pixel_aupro"
    """The metric by which settings were ranked; AUROC of whole images if test has no masks."""

    unmasked: Mapping[str, int] = field(default_factory=dict)
    """Part -> number of anomalous test samples without a mask, which count in metrics of whole
    images only; parts in which each has one are left out."""

    def line(self, name: str) -> MetricRow:
        """The row of one metric."""
        return next(line for line in self.lines if line.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPredictions:
    """Predictions that `evaluation_of` compares."""

    tuned: FoldPredictions | None
    """Predictions on the test samples with the fine-tuned encoder; None if the setting leaves the
    encoder frozen."""

    frozen: FoldPredictions
    """Predictions on the test samples with the frozen encoder."""

    validation: FoldPredictions
    """Predictions on the held-out folds of the trial, which determine the thresholds."""

    protocol: ProtocolConfig
    """How all predictions are scored."""

    postprocess: PostprocessConfig
    """How maps and image scores were made; chosen on the held-out folds."""

    calibration: FoldPredictions | None = None
    """Predictions of the scored model on normal samples of train that were set aside; None: it was
    trained on all of train, and thresholds are in the unit of the folds' models."""

    stress: FoldPredictions = field(default_factory=dict)
    """Predictions of the chosen setting on its stress set; empty: none was made."""

    trained_kinds: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Part -> kinds of defect in its training data."""

    objective: str = "pixel_aupro"
    """The metric by which settings were ranked."""


def evaluation_of(
    predictions: ComparedPredictions,
    *,
    sweep: str,
    trial: int,
    times_opened: int,
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """Score the setting on test, beside the frozen encoder unless it leaves that frozen itself."""
    tuned, frozen, protocol = predictions.tuned, predictions.frozen, predictions.protocol
    chosen = frozen if tuned is None else tuned
    rates = operating_points(predictions.validation, chosen, predictions.calibration)
    rows = _rows(tuned, frozen, protocol)
    is_known = any(row.name == predictions.objective for row in rows)
    unmasked = {FoldKey.parse(k).part: int(one.is_unmasked.sum()) for k, one in chosen.items()}
    return Evaluation(
        sweep=sweep,
        trial=trial,
        opened=datetime.now().astimezone().isoformat(timespec="seconds"),
        times_opened=times_opened,
        samples={
            FoldKey.parse(key).part: (
                int((~scored.is_anomalous).sum()),
                int(scored.is_anomalous.sum()),
            )
            for key, scored in chosen.items()
        },
        no_roi=sum(scored.num_no_roi for scored in chosen.values()),
        missed_regions=sum(scored.missed_regions for scored in chosen.values()),
        protocol=to_plain(protocol),
        notes=notes,
        postprocess=to_plain(predictions.postprocess),
        lines=rows,
        objective=predictions.objective if is_known else "image_auroc",
        unmasked={part: count for part, count in unmasked.items() if count},
        rates=rates,
        calibration={
            FoldKey.parse(key).part: len(aside.names)
            for key, aside in (predictions.calibration or {}).items()
        },
        verdicts=group_verdicts(rates, chosen),
        groups=group_counts(chosen),
        kinds=by_kind(chosen, rates, protocol, predictions.trained_kinds),
        sizes=by_size(chosen, rates, protocol),
        levels=by_level_left_out(chosen, rates, protocol),
        stress=stressed_parts(predictions.stress),
    )


def _rows(
    tuned: FoldPredictions | None, frozen: FoldPredictions, protocol: ProtocolConfig
) -> tuple[MetricRow, ...]:
    theirs = score_intervals(frozen, protocol)
    ours: Mapping[str, Interval] = {} if tuned is None else score_intervals(tuned, protocol)
    difference: Mapping[str, Interval] = {}
    if tuned is not None and are_comparable(tuned, frozen):
        difference = difference_intervals(tuned, frozen, protocol)
    floor = mean_floor(frozen if tuned is None else tuned, protocol)
    means = [name for name in theirs if "/" not in name]
    parts = [name for name in theirs if "/" in name]
    return tuple(
        MetricRow(
            name=name,
            tuned=ours.get(name),
            frozen=theirs[name],
            difference=difference.get(name),
            floor=floor[name],
        )
        for name in means + (parts if len(frozen) > 1 else [])
    )


def read_evaluation(sweep_folder: Path) -> Evaluation | None:
    """Read the result of the last `evaluate`; None if there is none.

    Raises:
        DamagedFileError: the file holds something else.
    """
    file = sweep_folder / "evaluate" / "evaluation.json"
    if not file.exists():
        return None
    with naming_damage(file):
        return parse(Evaluation, read_json_object(file))
