"""The sentences that every page of a reproduction shares: conclusions, warnings, explanations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bearing_search.analysis.intervals import Interval
from bearing_search.data.demo.dataset import PAPER_COUNTS
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.reproduction.measure import ComparisonRow, TableData
from bearing_search.reproduction.published import (
    EVEN_THRESHOLDS_METRIC,
    EVEN_THRESHOLDS_TITLE,
    MEAN,
    TABLE_2,
    detector_titles,
    exact_metrics,
)

PAPER_PARTS = ("LC", "SC", "OD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts about a reproduction other than its numbers."""

    name: str
    question: str
    planned: int
    """Number of runs in the design."""

    data: str
    is_rendered: bool
    """Whether the data is the rendered demo set."""

    map_px: int
    fpr_limit: float
    synthetic_parts: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    space_text: str = ""
    notes: Sequence[str] = ()
    """Caveats that every report of the sweep must state."""


def metric_title(metric: str) -> str:
    """The paper's name of a metric such as `pixel_aupro`."""
    return EVEN_THRESHOLDS_TITLE if metric == EVEN_THRESHOLDS_METRIC else METRICS[metric].title


def detector_title(detector: str) -> str:
    """Display name of a detector such as `vitad`."""
    return detector_titles().get(detector, detector)


def is_the_papers_kind(measured: TableData, facts: Facts) -> bool:
    """Whether the paper's numbers are comparable with these: same parts, and not rendered."""
    return tuple(measured.parts) == PAPER_PARTS and not facts.is_rendered


def paper_label(measured: TableData, facts: Facts) -> str:
    """Label of the paper's numbers."""
    return "paper" if is_the_papers_kind(measured, facts) else "paper, other data"


def show(interval: Interval) -> str:
    """`0.8611 [0.790, 0.912]`, without bounds if there are none; a dash if there is no value."""
    if interval.value != interval.value:
        return "-"
    if interval.low != interval.low:
        return f"{interval.value:.4f}"
    return f"{interval.value:.4f} [{interval.low:.3f}, {interval.high:.3f}]"


def show_difference(interval: Interval) -> str:
    """Like `show`, with signs."""
    if interval.value != interval.value:
        return "-"
    if interval.low != interval.low:
        return f"{interval.value:+.4f}"
    return f"{interval.value:+.4f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def conclusions(measured: TableData) -> list[str]:
    """For each detector and part, which metrics fine-tuning changed."""
    return [_conclusion(measured, d, part) for d in measured.detectors for part in measured.rows]


def how_sure(measured: TableData) -> list[str]:
    """What the intervals cover, and how many differences are significant."""
    judged = [line for line in measured.lines if line.verdict]
    decided = sum(line.verdict != "undecided" for line in judged)
    return [
        *_on_seeds(len(measured.seeds)),
        f"{decided} of {len(judged)} intervals of differences exclude 0; if fine-tuning had no "
        f"effect, about {0.05 * len(judged):.0f} of them would do so by chance.",
    ]


def warnings_of(measured: TableData, facts: Facts) -> list[str]:
    """Warnings that a reader needs before using the numbers."""
    found = [
        f"Test was read by design, in {measured.num_runs} runs. Do not choose settings by this "
        "table; use `run` for that, which scores on folds of train."
    ]
    found += facts.notes
    if measured.num_runs < facts.planned:
        found.append(f"Incomplete: {measured.num_runs} of {facts.planned} runs. A dash is a gap.")
    if facts.is_rendered:
        found.append("The data is rendered: these numbers say nothing about real rings.")
    if facts.synthetic_parts:
        found.append(
            f"Train has no defects of {', '.join(facts.synthetic_parts)}: the patch task was "
            "trained on synthetic ones."
        )
    found += [
        f"{part}: {count} of {measured.parts[part].anomalous} anomalous test samples have no mask "
        "and count in metrics of whole images only."
        for part, count in measured.unmasked.items()
    ]
    no_roi = sum(part.no_roi for part in measured.parts.values())
    missed = sum(part.missed_regions for part in measured.parts.values())
    if no_roi:
        found.append(f"{no_roi} test samples have no region of interest and no score.")
    if missed:
        found.append(f"{missed} anomalous regions have no map and count as missed in P-AUPRO.")
    return [*found, *_on_paper(measured, facts)]


def how_measured(measured: TableData, facts: Facts) -> list[str]:
    """Explanations of each kind of number."""
    return [
        "EN_pre is the pretrained encoder, frozen; EN_train is the same encoder, fine-tuned as in "
        "section 3.2. A value is the mean over seeds.",
        "Brackets: 95 % interval, from the change of the value when each physical part (group) is "
        "left out, with Student's t on the logit scale"
        + (", and from the variance between seeds." if len(measured.seeds) > 1 else ".")
        + " A difference is paired by group and by seed.",
        "Floor: what a constant score for all samples and pixels reaches. Only what a value has "
        "above it counts.",
        *([_on_aupro(facts)] if EVEN_THRESHOLDS_METRIC in measured.metrics else []),
        f"{MEAN}: unweighted mean over the parts, as in the paper.",
    ]


def _on_aupro(facts: Facts) -> str:
    return (
        f"P-AUPRO is exact, up to a false-positive rate of {facts.fpr_limit:g}, on maps of "
        f"{facts.map_px} px. P-AUPRO (200), from 200 evenly spaced thresholds, depends on the "
        "scale of the scores; it is what the paper's code base seems to compute, and is shown for "
        "comparison only."
    )


def _conclusion(measured: TableData, detector: str, part: str) -> str:
    metrics = [metric for metric in exact_metrics() if metric in measured.metrics]
    lines = [measured.line(detector, part, metric) for metric in metrics]
    where = f"{detector_title(detector)}, {'mean over parts' if part == MEAN else part}"
    sentences = [
        f"{verb}: {names}"
        for verb, names in (
            ("rose", _named(lines, "higher")),
            ("fell", _named(lines, "lower")),
            ("undecided", ", ".join(_titles(lines, "undecided"))),
        )
        if names
    ]
    return f"{where}: {'; '.join(sentences) or _why_not(lines)}."


def _why_not(lines: Sequence[ComparisonRow]) -> str:
    if all(line.difference.value != line.difference.value for line in lines):
        return "runs of one of the encoders are missing"
    return "no interval: test has only one normal or one anomalous physical part"


def _named(lines: Sequence[ComparisonRow], verdict: str) -> str:
    return ", ".join(
        f"{metric_title(line.metric)} {show_difference(line.difference)}"
        for line in lines
        if line.verdict == verdict
    )


def _titles(lines: Sequence[ComparisonRow], verdict: str) -> list[str]:
    return [metric_title(line.metric) for line in lines if line.verdict == verdict]


def _on_seeds(count: int) -> Iterator[str]:
    if count == 1:
        yield (
            "One seed: the intervals cover the choice of test samples, not the variance between "
            "trainings. `--seeds 3` covers both."
        )
    else:
        yield (
            f"{count} seeds: the intervals cover both the choice of test samples and the variance "
            "between trainings."
        )


def _on_paper(measured: TableData, facts: Facts) -> Iterator[str]:
    if not is_the_papers_kind(measured, facts):
        yield "The paper's numbers are from other data; they are shown for reference only."
        return
    counts = {part: (f.normal, f.anomalous) for part, f in measured.parts.items()}
    other = [part for part in counts if counts[part] != PAPER_COUNTS[part]["test"]]
    if other:
        found = ", ".join(f"{part} {counts[part][0]} + {counts[part][1]}" for part in other)
        printed = ", ".join(
            "{} {} + {}".format(part, *PAPER_COUNTS[part]["test"]) for part in other
        )
        yield (
            f"Scored test samples (normal + anomalous): {found}; the paper's Table 1 has {printed}."
        )
    unknown = [detector_title(name) for name in measured.detectors if name not in TABLE_2]
    if unknown:
        yield f"The paper has no numbers for {', '.join(unknown)}."
