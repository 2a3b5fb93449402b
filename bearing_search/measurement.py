"""The interface between trials and their scheduling: measurements, context, metric names."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bearing_search.config import TrialConfig

OBJECTIVE = "val/pixel_aupro"
"""The metric that a sweep maximises where there are masks: mean over folds and parts, measured on
held-out folds of train. Only the last measurement of a finished trial has it."""

IMAGE_OBJECTIVE = "val/image_auroc"
"""The objective of a search on data without masks, where OBJECTIVE is undefined."""

FINISHED_FOLDS = "val/finished_folds"
"""Number of folds that the running objective averages."""

COMPUTED_S = "cost/computed_s"
"""Seconds that the trial spent on the stages of the folds scored so far."""

SAVED_S = "cost/saved_s"
"""Seconds that other trials spent on stages that this one reused. Like COMPUTED_S and COST_S, it
depends on the machine and on what else ran; everything else in a measurement depends only on the
config."""

COST_S = "cost/seconds"
"""Compute time of the trial's stages, regardless of who spent it: COMPUTED_S + SAVED_S. Sharing
does not change it, except that a reused stage was timed where it ran."""

TRAIN_GFLOP = "cost/train_gflop"
"""Work of training the folds scored so far, counted from config and data in GFLOP (see
`training.cost`): the same on every machine, whoever computed the stages. Absent if unknown."""

MICRO_BATCH = "cost/micro_batch"
"""Smallest micro-batch of the trial, if a training batch did not fit into device memory; otherwise
absent. See `training.microbatch`."""


def metric_of(objective: str) -> str:
    """Name of an objective in `evaluation.metric_table.METRICS`: `pixel_aupro`."""
    return objective.partition("/")[2]


def objective_at(level: str, split: str = "val") -> str:
    """The objective on pixels (level `pixel`) or on whole images (level `image`)."""
    objective = IMAGE_OBJECTIVE if level == "image" else OBJECTIVE
    return f"{split}/{metric_of(objective)}"


def running_objective(objective: str) -> str:
    """`val/running_pixel_aupro`: mean over the folds finished so far; used by pruners."""
    return f"val/running_{metric_of(objective)}"


def fold_objective(objective: str) -> str:
    """`val/fold_pixel_aupro`: of the fold that just finished; reported with the running one."""
    return f"val/fold_{metric_of(objective)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Metrics at one point of a trial; names have the form ``split/metric``."""

    step: int
    """Position in the stream: strictly increasing, and always the same for the same config."""

    values: Mapping[str, float]
    stage: str = ""
    """Description of the current work: ``LC, fold 1 of 2: fine-tuning``."""

    progress: float = 0.0
    """Completed share of the trial's work, in [0, 1]."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """Non-numeric facts about the trial: digests, the source of validation defects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialContext:
    """Where a trial runs. Nothing here may change the outcome."""

    data: Path
    """Root of the data set."""

    folder: Path
    """The trial's own folder; a trial started again with the same folder resumes there."""

    cache: Path
    """Cache shared by all trials, keyed by content. A subfolder of the results folder."""

    bits: Mapping[str, int] = field(default_factory=dict)
    """Bit depth of parts, as it was found when the sweep began; others are found by the trial."""

    shares_stages: bool = True
    """Whether stage results are shared with other trials. If not, they stay in the trial's folder,
    where only weights that were scored on test are kept in the end."""

    device: str = "cpu"
    """`cpu` or `cuda`."""

    objective: str = ""
    """Metric that the last measurement must have, and of which running means are reported; empty:
    as the labels of train allow (`data.pixel_labels`)."""

    should_stop: Callable[[], bool] = lambda: False
    """Polled between iterations; once true, the trial saves its state and ends its stream."""


RunTrial = Callable[[TrialConfig, TrialContext], Iterator[Measurement]]
"""A trial as a stream of measurements. Called again after an interruption, it replays its earlier
measurements (same steps, same values, from its folder) and continues; a finished trial replays all
of them. A stream that ends without the objective was asked to stop. Raises TrialFailedError if no
score is possible."""
