"""A metric as a user would add it: outside the package, one function and one entry of the table."""

from bearing_search.evaluation.metric_table import METRICS, Metric
from bearing_search.evaluation.rank_metrics import RankedScores

NAME = "image_clear_share"


def clear_share(scores: RankedScores) -> float:
    """Share of the anomalous ones that score higher than every normal one."""
    ranks = scores.ranks
    total = ranks.weight.sum()
    if total == 0 or ranks.num_normal == 0:
        return float("nan")
    return float(ranks.weight[ranks.at_least == 0].sum() / total)


METRICS[NAME] = Metric(title="I-clear", level="image", direction="max", function=clear_share)
