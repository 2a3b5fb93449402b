import numpy as np
import pytest

from bearing_search.analysis.contracts.views import group_scores, view_rule
from bearing_search.analysis.operating.thresholds import PooledScores
from bearing_search.errors import ConfigError

# a: normal, b: defective but for one view, c: normal
VIEWS = [
    ("a", 1.0, False),
    ("a", 3.0, False),
    ("a", 2.0, False),
    ("b", 9.0, True),
    ("b", 4.0, True),
    ("b", 5.0, False),
    ("c", 0.0, False),
    ("c", 7.0, False),
    ("c", 6.5, False),
]


def pool(rows=VIEWS):
    groups, scores, labels = zip(*rows, strict=True)
    return PooledScores(
        scores=np.array(scores),
        is_anomalous=np.array(labels),
        groups=groups,
        centre=0.0,
        scale=1.0,
    )


@pytest.mark.parametrize(
    ("rule", "normal", "anomalous"),
    [
        ("each", [3.0, 5.0, 7.0], [4.0]),
        ("any", [3.0, 7.0], [9.0]),
        ("mean", [2.0, 4.5], [6.0]),
        ("1-of-3", [3.0, 7.0], [9.0]),
        ("2-of-3", [2.0, 6.5], [5.0]),
        ("3-of-3", [0.0, 1.0], [4.0]),
    ],
)
def test_the_score_that_decides_a_group(rule, normal, anomalous):
    found = group_scores(pool(), view_rule(rule))
    assert found.normal.tolist() == normal
    assert found.anomalous.tolist() == anomalous


def test_a_group_of_both_kinds_counts_for_both_only_if_each_view_is_judged():
    assert group_scores(pool(), view_rule("each")).names == ("a", "b", "b", "c")
    assert group_scores(pool(), view_rule("any")).names == ("a", "b", "c")


def test_a_group_with_another_number_of_views_is_named():
    with pytest.raises(ConfigError, match=r"2-of-3: 1 of 3 groups .* such as c with 2"):
        group_scores(pool(VIEWS[:-1]), view_rule("2-of-3"))


@pytest.mark.parametrize("text", ["", "all", "4-of-3", "0-of-3", "2of3", "2-of-3 ", "-1-of-3"])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(ConfigError, match="wanted each, any, mean, or k-of-n"):
        view_rule(text)
