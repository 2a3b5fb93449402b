"""The table of metrics: name, direction, title and function.

A metric is one function of `RankedScores` and one entry of `METRICS`, from which objectives,
intervals, reports, MLflow and `reproduce` take names, directions and titles. Code outside this
package adds a metric with ``METRICS["image_..."] = Metric(...)`` before it calls a command; workers
get the driver's table (docs/method.md, "Adding a metric").
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from bearing_search.evaluation.rank_metrics import (
    RankedScores,
    Ranks,
    aupro_of,
    auroc_of,
    average_precision_of,
    f1_max_of,
)

Level = Literal["pixel", "image"]
Direction = Literal["max", "min"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; its name is its key in `METRICS`."""

    title: str
    """Column heading: `P-AUPRO`."""

    level: Level
    """Whether `function` is computed over pixels or samples (images)."""

    direction: Direction
    """Whether to maximise or minimise it."""

    function: Callable[[RankedScores], float]
    """Computes the value in [0, 1], NaN where undefined. Called once per bootstrap resample, so it
    should be a few vectorised operations on the ranks, each weighted by `ranks.weight`."""


def from_ranks(function: Callable[[Ranks], float]) -> Callable[[RankedScores], float]:
    """A metric function that depends on the ranks only, of pixels or of samples."""
    return partial(_of_ranks, function)


def _of_ranks(function: Callable[[Ranks], float], scores: RankedScores) -> float:
    return function(scores.ranks)


def aupro_from_scores(scores: RankedScores) -> float:
    """Pixel AUPRO up to the protocol's limit; see `rank_metrics.aupro_of`."""
    assert scores.overlap_gains is not None, "AUPRO is a pixel metric"
    return aupro_of(
        scores.ranks,
        scores.overlap_gains,
        num_regions=scores.num_regions,
        fpr_limit=scores.fpr_limit,
    )


METRICS: dict[str, Metric] = {
    "pixel_aupro": Metric(
        title="P-AUPRO", level="pixel", direction="max", function=aupro_from_scores
    ),
    "pixel_auroc": Metric(
        title="P-AUROC", level="pixel", direction="max", function=from_ranks(auroc_of)
    ),
    "pixel_ap": Metric(
        title="P-AP", level="pixel", direction="max", function=from_ranks(average_precision_of)
    ),
    "pixel_f1_max": Metric(
        title="P-F1", level="pixel", direction="max", function=from_ranks(f1_max_of)
    ),
    "image_auroc": Metric(
        title="I-AUROC", level="image", direction="max", function=from_ranks(auroc_of)
    ),
    "image_ap": Metric(
        title="I-AP", level="image", direction="max", function=from_ranks(average_precision_of)
    ),
    "image_f1_max": Metric(
        title="I-F1", level="image", direction="max", function=from_ranks(f1_max_of)
    ),
}
"""Name (`pixel_` or `image_`, then the metric; no `/`) -> metric. The paper's seven come first,
AUPRO at their head. `pixel_aupro_200` is not among them: it depends on the scale of the scores and
is never optimised."""


def values_of(*, pixels: RankedScores, samples: RankedScores) -> dict[str, float]:
    """Every metric by name."""
    of_level = {"pixel": pixels, "image": samples}
    return {
        name: float(metric.function(of_level[metric.level])) for name, metric in METRICS.items()
    }
