"""Results of `evaluate` as a Markdown page, and the files in the sweep's folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bearing_search.analysis.operating.operating_points import OperatingPoint
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.reporting.sentences import interval_text, support_text
from bearing_search.reporting.stress.plot import stress_png
from bearing_search.reporting.stress.tables import stress_lines
from bearing_search.reporting.subset_tables import share_text, subset_table
from bearing_search.reporting.test_evaluation import Evaluation, MetricRow


def write_evaluation(sweep_folder: Path, evaluation: Evaluation) -> None:
    """Write `evaluate/evaluation.{json,md}`, and `stress.png` if there is a stress set."""
    folder = sweep_folder / "evaluate"
    folder.mkdir(exist_ok=True)
    write_atomically(folder / "evaluation.md", evaluation_markdown(evaluation).encode())
    write_atomically(folder / "evaluation.json", json.dumps(asdict(evaluation), indent=2).encode())
    if evaluation.stress:
        write_atomically(folder / "stress.png", stress_png(evaluation.stress, evaluation.rates))


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
        *_metric_table(evaluation.lines),
        "",
        f"95 % intervals over groups. {_verdict(evaluation.line(evaluation.objective))}",
        "",
        *_rate_lines(evaluation),
        *_subset_lines(evaluation),
    ]
    lines += [support_text(part, *groups) for part, groups in evaluation.groups.items()]
    if evaluation.stress:
        lines += ["", *stress_lines(evaluation.stress, evaluation.rates)]
    return "\n".join(lines) + "\n"


def _metric_table(rows: Sequence[MetricRow]) -> list[str]:
    if rows[0].tuned is None:  # the setting leaves the encoder frozen
        return [
            "| metric | frozen encoder | floor |",
            "| --- | --- | --- |",
            *(f"| {row.name} | {interval_text(row.frozen)} | {row.floor:.3f} |" for row in rows),
        ]
    lines = [
        "| metric | fine-tuned encoder | frozen encoder | difference | floor |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        assert row.tuned is not None
        difference = (
            interval_text(row.difference, signed=True) if row.difference else "other samples"
        )
        cells = (
            row.name,
            interval_text(row.tuned),
            interval_text(row.frozen),
            difference,
            f"{row.floor:.3f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _rate_lines(evaluation: Evaluation) -> list[str]:
    if not evaluation.rates:
        return []
    aside = ", ".join(f"{part} {count}" for part, count in evaluation.calibration.items())
    unit = (
        f"in the unit of the scored model, by normal samples of train set aside for it ({aside})"
        if aside
        else "in the unit of the folds' models: the scored model's may differ, nothing is promised"
    )
    lines = [
        "Rates of test samples at thresholds from the held-out folds of train (95 % intervals; "
        f"samples of one group widen them), {unit}:",
        "",
        *_rate_table(evaluation.rates, ("defects found", "false alarms")),
        "",
    ]
    if evaluation.verdicts:
        lines += [
            "Verdicts per physical part (group), which is rejected if any of its samples is "
            "flagged, and defective if any of them is (exact 95 % intervals):",
            "",
            *_rate_table(evaluation.verdicts, ("defective ones rejected", "good ones rejected")),
            "",
        ]
    return lines


def _subset_lines(evaluation: Evaluation) -> list[str]:
    lines = []
    if evaluation.kinds:
        lines += [
            "By kind of defect, each against all normal samples (kinds that training did not learn "
            "from are marked):",
            "",
            *subset_table("kind", evaluation.kinds),
        ]
    if evaluation.sizes:
        lines += [
            "By size of a sample's largest marked region, in patches of the detector's grid:",
            "",
            *subset_table("size", evaluation.sizes),
        ]
    if evaluation.levels:
        lines += [
            "Without one brightness level, at the same thresholds:",
            "",
            *subset_table("level", evaluation.levels, shows_alarms=True),
        ]
    return lines


def _rate_table(points: Sequence[OperatingPoint], titles: tuple[str, str]) -> list[str]:
    return [
        f"| part | threshold | {titles[0]} | {titles[1]} |",
        "| --- | --- | --- | --- |",
        *(
            f"| {one.part} | {one.threshold:.4g}: {one.rule} | {share_text(one.found)} | "
            f"{share_text(one.false_alarms)} |"
            for one in points
        ),
    ]


def _caveats(evaluation: Evaluation) -> list[str]:
    found = list(evaluation.notes)
    if evaluation.no_roi:
        found.append(f"{evaluation.no_roi} samples without a region of interest are not scored.")
    found += [
        f"{part}: {count} of {evaluation.samples[part][1]} anomalous samples have no mask and "
        "count in metrics of whole images only."
        for part, count in evaluation.unmasked.items()
    ]
    if evaluation.missed_regions:
        found.append(
            f"{evaluation.missed_regions} anomalous regions lie outside the region of interest "
            "and count as missed."
        )
    return found


def _verdict(line: MetricRow) -> str:
    if line.tuned is None:
        return "The setting leaves the encoder frozen, so there is nothing to compare it with."
    if line.difference is None:
        return "The two were scored on different samples and cannot be compared."
    change = interval_text(line.difference, signed=True)
    if line.difference.low > 0:
        return f"Fine-tuning helped: {line.name} rose by {change}."
    if line.difference.high < 0:
        return f"Fine-tuning hurt: {line.name} changed by {change}."
    return f"Whether fine-tuning helped is undecided: {line.name} {change}."
