"""Results of `evaluate` on test: tuned and frozen encoder with intervals, floors, difference."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
from bearing_search.analysis.operating_points import OperatingPoint, group_counts, operating_points
from bearing_search.config import PostprocessConfig, ProtocolConfig, parse, to_plain
from bearing_search.data.fold_key import FoldKey
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.measurement import OBJECTIVE_METRIC
from bearing_search.reporting.sentences import interval_text, support_text


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of one part, or of the mean over parts."""

    name: str
    """`pixel_aupro`, or `LC/pixel_aupro`."""

    tuned: Interval
    frozen: Interval
    difference: Interval | None
    """Tuned minus frozen, paired; None if they were scored on different samples."""

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
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Part -> number of normal and of anomalous groups."""
    notes: tuple[str, ...] = ()
    """Further caveats."""

    def line(self, name: str) -> MetricRow:
        """The row of one metric."""
        return next(line for line in self.lines if line.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPredictions:
    """Predictions that `write_evaluation` compares."""

    tuned: FoldPredictions
    """Predictions on the test samples with the fine-tuned encoder."""

    frozen: FoldPredictions
    """Predictions on the test samples with the frozen encoder."""

    validation: FoldPredictions
    """Predictions on the held-out folds of the tuned trial, which determine the thresholds."""

    protocol: ProtocolConfig
    """How all predictions are scored."""

    postprocess: PostprocessConfig
    """How maps and image scores were made; chosen on the held-out folds."""


def write_evaluation(
    sweep_folder: Path,
    predictions: ComparedPredictions,
    *,
    sweep: str,
    trial: int,
    times_opened: int,
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """Compare the two encoders on test and write `evaluate/evaluation.{json,md}`."""
    tuned, frozen, protocol = predictions.tuned, predictions.frozen, predictions.protocol
    ours = score_intervals(tuned, protocol)
    theirs = score_intervals(frozen, protocol)
    difference: Mapping[str, Interval] = (
        difference_intervals(tuned, frozen, protocol) if are_comparable(tuned, frozen) else {}
    )
    floor = mean_floor(tuned, protocol)
    means = [name for name in ours if "/" not in name]
    parts = [name for name in ours if "/" in name]
    evaluation = Evaluation(
        sweep=sweep,
        trial=trial,
        opened=datetime.now().astimezone().isoformat(timespec="seconds"),
        times_opened=times_opened,
        samples={
            FoldKey.parse(key).part: (
                int((~scored.is_anomalous).sum()),
                int(scored.is_anomalous.sum()),
            )
            for key, scored in tuned.items()
        },
        no_roi=sum(scored.num_no_roi for scored in tuned.values()),
        missed_regions=sum(scored.missed_regions for scored in tuned.values()),
        protocol=to_plain(protocol),
        notes=notes,
        postprocess=to_plain(predictions.postprocess),
        lines=tuple(
            MetricRow(
                name=name,
                tuned=ours[name],
                frozen=theirs[name],
                difference=difference.get(name),
                floor=floor[name],
            )
            for name in means + (parts if len(tuned) > 1 else [])
        ),
        rates=operating_points(predictions.validation, tuned),
        groups=group_counts(tuned),
    )
    folder = sweep_folder / "evaluate"
    folder.mkdir(exist_ok=True)
    write_atomically(folder / "evaluation.md", evaluation_markdown(evaluation).encode())
    write_atomically(folder / "evaluation.json", json.dumps(asdict(evaluation), indent=2).encode())
    return evaluation


def read_evaluation(sweep_folder: Path) -> Evaluation | None:
    """Read the result of the last `evaluate`; None if there is none."""
    file = sweep_folder / "evaluate" / "evaluation.json"
    return parse(Evaluation, json.loads(file.read_text("utf-8"))) if file.exists() else None


def evaluation_markdown(evaluation: Evaluation) -> str:
    """The evaluation as a Markdown page: a table and conclusions."""
    times = "once" if evaluation.times_opened == 1 else f"{evaluation.times_opened} times"
    samples = ", ".join(
        f"{part} {normal} normal + {anomalous} anomalous"
        for part, (normal, anomalous) in evaluation.samples.items()
    )
    lines = [
        f"# {evaluation.sweep}: trial {evaluation.trial} on test",
        "",
        f"Test opened {times}, last {evaluation.opened}. Samples: {samples}.",
        *_caveats(evaluation),
        f"Post-processing: {json.dumps(evaluation.postprocess)}.",
        "",
        "| metric | fine-tuned encoder | frozen encoder | difference | floor |",
        "| --- | --- | --- | --- | --- |",
    ]
    for line in evaluation.lines:
        difference = (
            interval_text(line.difference, signed=True) if line.difference else "other samples"
        )
        cells = (
            line.name,
            interval_text(line.tuned),
            interval_text(line.frozen),
            difference,
            f"{line.floor:.3f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    verdict = _verdict(evaluation.line(OBJECTIVE_METRIC))
    lines += ["", f"95 % intervals over groups. {verdict}"]
    lines += ["", *_rate_lines(evaluation.rates)]
    lines += [support_text(part, *groups) for part, groups in evaluation.groups.items()]
    return "\n".join(lines) + "\n"


def _rate_lines(rates: Sequence[OperatingPoint]) -> list[str]:
    if not rates:
        return []
    return [
        "Rates on test at thresholds from the held-out folds of train (a group is flagged if any "
        "of its views is; exact 95 % intervals):",
        "",
        "| part | threshold | defects found | false alarms |",
        "| --- | --- | --- | --- |",
        *(
            f"| {one.part} | {one.threshold:.4g}: {one.rule} | {_share(one.found)} | "
            f"{_share(one.false_alarms)} |"
            for one in rates
        ),
        "",
    ]


def _share(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "none to flag"
    return f"{interval.value:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


def _caveats(evaluation: Evaluation) -> list[str]:
    found = list(evaluation.notes)
    if evaluation.no_roi:
        found.append(f"{evaluation.no_roi} samples without a region of interest are not scored.")
    if evaluation.missed_regions:
        found.append(
            f"{evaluation.missed_regions} anomalous regions lie outside the region of interest "
            "and count as missed."
        )
    return found


def _verdict(line: MetricRow) -> str:
    if line.difference is None:
        return "The two were scored on different samples and cannot be compared."
    change = interval_text(line.difference, signed=True)
    if line.difference.low > 0:
        return f"Fine-tuning helped: {line.name} rose by {change}."
    if line.difference.high < 0:
        return f"Fine-tuning hurt: {line.name} changed by {change}."
    return f"Whether fine-tuning helped is undecided: {line.name} {change}."
