"""What a trial says while it runs, and what it is told: where science meets scheduling."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bearing_search.config import TrialConfig

OBJECTIVE = "val/pixel_aupro"
"""The metric a sweep maximises: mean over folds and parts, measured on held-out folds of train.
Only the last measurement of a finished trial carries it."""

OBJECTIVE_METRIC = OBJECTIVE.partition("/")[2]
"""Its name in `evaluation.metric_table.METRICS`."""

TEST_OBJECTIVE = "test/pixel_aupro"
"""The same on test, after training on all of train: what `run_final` ends with."""

RUNNING_OBJECTIVE = "val/running_pixel_aupro"
"""Mean of the objective over the folds finished so far; what a pruner looks at."""

FOLD_OBJECTIVE = "val/fold_pixel_aupro"
"""The objective of the fold that has just finished, alone; comes with RUNNING_OBJECTIVE."""

FINISHED_FOLDS = "val/finished_folds"
"""How many folds RUNNING_OBJECTIVE is the mean of."""

COMPUTED_S = "cost/computed_s"
"""Seconds that the trial has spent on the stages of the units that are scored so far."""

SAVED_S = "cost/saved_s"
"""Seconds that other trials have spent on what it reused of them. Like COMPUTED_S it depends on
the machine and on what else has run, as does COST_S; everything else in a measurement depends on
the config."""

COST_S = "cost/seconds"
"""What the trial's stages take, whoever has spent it: COMPUTED_S + SAVED_S. Sharing does not change
it, other than that a stage was timed where it ran."""

MICRO_BATCH = "cost/micro_batch"
"""The fewest samples that went through a network at once in training, because the device had no
room for a batch. Only of trials to which that happened: see `training.microbatch`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Metrics known at one moment of a trial; names read ``split/what``."""

    step: int
    """Position in the stream: strictly increasing, and the same whenever the config is the same."""

    values: Mapping[str, float]
    stage: str = ""
    """What was being done, for people: ``LC fold 1 of 2, fine-tuning``."""

    progress: float = 0.0
    """Share of the trial's work that is done, in [0, 1]."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """Facts about the trial that are no numbers: digests, where validation defects came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialContext:
    """Where a trial runs. None of it may change the outcome."""

    data: Path
    """Root of the data set."""

    folder: Path
    """The trial's own folder: a trial that is started again with the same folder goes on there."""

    cache: Path
    """Shared by all trials; entries are named by what they hold. It lies in the folder of all
    results."""

    shares_stages: bool = True
    """Whether what its stages compute is read from, and left to, other trials. If not, the stages
    stay in the trial's folder, and only the weights that were scored on test are kept."""

    device: str = "cpu"
    """`cpu` or `cuda`."""

    should_stop: Callable[[], bool] = lambda: False
    """Asked between iterations; once true, the trial saves its state and ends its stream."""


RunTrial = Callable[[TrialConfig, TrialContext], Iterator[Measurement]]
"""A trial as a stream. Called again after an interruption it repeats the measurements it had made
(same steps, same values, from its folder) and goes on; a finished trial repeats them all at once.
A stream that ends without OBJECTIVE was asked to stop. TrialFailedError: no score is possible."""
