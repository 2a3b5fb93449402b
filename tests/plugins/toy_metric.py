"""A metric and a trial as a user would add them: outside the package, imported wherever it runs.

`ImportedTrial("toy_metric", "run_trial")` imports this module in every worker, so that what a
worker scores has the metric; the driver imports it itself, so that spaces and reports know it.
"""

from collections.abc import Iterator

from bearing_search.config import TrialConfig
from bearing_search.evaluation.metric_table import METRICS, Metric
from bearing_search.evaluation.rank_metrics import RankedScores
from bearing_search.measurement import Measurement, TrialContext

NAME = "image_clear_share"


def clear_share(scores: RankedScores) -> float:
    """Share of the anomalous ones that score higher than every normal one."""
    ranks = scores.ranks
    total = ranks.weight.sum()
    if total == 0 or ranks.num_normal == 0:
        return float("nan")
    return float(ranks.weight[ranks.at_least == 0].sum() / total)


METRICS[NAME] = Metric(title="I-clear", level="image", direction="max", function=clear_share)


def run_trial(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """The package's own trial, which is imported where it runs: the driver loads no torch."""
    from bearing_search import trial

    return trial.run_trial(config, context)
