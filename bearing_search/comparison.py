"""How sure a score is, and whether two trials differ: bootstrap over groups, paired on samples.

Axis letters: k drawn samples.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from bearing_search.config import ProtocolConfig
from bearing_search.intervals import Interval, cluster_bootstrap
from bearing_search.metrics import PreparedScores, trivial_floor
from bearing_search.stages.scored import Scored, mean_metrics

Units = Mapping[str, Scored]
"""Key of a unit (`LC/fold0`) -> what its evaluation left. The part is what stands before `/`."""


def score_intervals(
    units: Units, protocol: ProtocolConfig, *, resamples: int = 1000
) -> dict[str, Interval]:
    """95 % interval of every mean metric, by name (`pixel_aupro`, `LC/pixel_aupro`)."""
    statistic = _statistic(units, protocol)
    return cluster_bootstrap(_groups(units), statistic, strata=_strata(units), resamples=resamples)


def difference_intervals(
    units: Units, others: Units, protocol: ProtocolConfig, *, resamples: int = 1000
) -> dict[str, Interval]:
    """95 % interval of `units` minus `others`, on the same draws of the same samples.

    Raises:
        ValueError: the two were not scored on the same samples.
    """
    if not are_comparable(units, others):
        raise ValueError("scored on different samples: a paired difference does not exist")
    ours, theirs = _statistic(units, protocol), _statistic(others, protocol)

    def difference(drawn: Int[np.ndarray, " k"]) -> dict[str, float]:
        left, right = ours(drawn), theirs(drawn)
        return {name: left[name] - right[name] for name in left}

    return cluster_bootstrap(_groups(units), difference, strata=_strata(units), resamples=resamples)


def are_comparable(units: Units, others: Units) -> bool:
    """Whether both were scored on the same samples, in the same order."""
    return units.keys() == others.keys() and all(
        units[key].names == others[key].names for key in units
    )


def mean_floor(units: Units, protocol: ProtocolConfig) -> dict[str, float]:
    """What one and the same score for everything would reach, averaged as the metrics are."""
    floors = [
        (
            _part(key),
            trivial_floor(
                scored.masks,
                scored.is_anomalous,
                fpr_limit=protocol.fpr_limit,
                missed_regions=scored.missed_regions,
            ),
        )
        for key, scored in units.items()
    ]
    return mean_metrics(floors)


def _statistic(
    units: Units, protocol: ProtocolConfig
) -> Callable[[Int[np.ndarray, " k"]], dict[str, float]]:
    prepared: dict[str, PreparedScores] = {k: s.prepared(protocol) for k, s in units.items()}
    ends = np.cumsum([len(scored.names) for scored in units.values()])

    def statistic(drawn: Int[np.ndarray, " k"]) -> dict[str, float]:
        unit_of = np.searchsorted(ends, drawn, side="right")
        rows = []
        for number, (key, scores) in enumerate(prepared.items()):
            start = ends[number - 1] if number else 0
            rows.append((_part(key), scores.at(drawn[unit_of == number] - start)))
        return mean_metrics(rows)

    return statistic


def _groups(units: Units) -> list[str]:
    return [group for scored in units.values() for group in scored.groups]


def _strata(units: Units) -> Sequence[tuple[str, bool]]:
    return [(key, bool(label)) for key, s in units.items() for label in s.is_anomalous]


def _part(key: str) -> str:
    return key.split("/")[0]
