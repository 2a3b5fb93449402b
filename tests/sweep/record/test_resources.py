import math

import pytest

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.sweep.record.resources import Node, Resources, plan_resources


def one(cpus, gpus=0):
    return [Node(cpus=cpus, gpus=gpus)]


@pytest.mark.parametrize(
    ("asked", "nodes", "cpus", "gpus", "threads", "concurrent"),
    [
        ({}, one(1), 1, 0, 1, 1),
        ({}, one(2), 1, 0, 1, 2),
        ({}, one(16), 4, 0, 4, 4),
        ({}, one(7), 1, 0, 1, 4),
        ({"concurrent": 1}, one(2), 2, 0, 2, 1),
        ({"concurrent": 8}, one(16), 2, 0, 2, 8),
        ({"concurrent": 8}, one(2), 1, 0, 1, 2),
        ({"cpus_per_trial": 2}, one(16), 2, 0, 2, 8),
        ({"cpus_per_trial": 2, "concurrent": 3}, one(16), 2, 0, 2, 3),
        ({}, one(32, 4), 8, 1, 8, 4),
        ({}, one(2, 4), 0.5, 1, 1, 4),
        ({"gpus_per_trial": 0.5}, one(32, 4), 4, 0.5, 4, 8),
        ({"gpus_per_trial": 0.3}, one(32, 1), 10, 0.3, 10, 3),
        ({"gpus_per_trial": 2}, one(32, 4), 16, 2, 16, 2),
        ({"gpus_per_trial": 2}, [*one(8, 3), *one(4, 3)], 4, 2, 4, 2),
        ({"gpus_per_trial": 0}, one(32, 4), 8, 0, 8, 4),
        ({"concurrent": 2}, one(32, 4), 16, 1, 16, 2),
        ({"cpus_per_trial": 4}, one(8, 4), 4, 1, 4, 2),
        ({}, [*one(8, 0), *one(8, 2)], 4, 1, 4, 2),
    ],
)
def test_what_was_left_open_is_shared_out(asked, nodes, cpus, gpus, threads, concurrent):
    chosen = plan_resources(Resources(**asked), nodes)

    assert (chosen.cpus, chosen.gpus) == (cpus, gpus)
    assert (chosen.threads, chosen.concurrent) == (threads, concurrent)


@pytest.mark.parametrize(
    ("nodes", "starting"), [(one(2, 4), 1), (one(32, 4), 4), (4 * one(4, 2), 8), (one(1), 1)]
)
def test_workers_start_together_where_cores_are_free_for_it(nodes, starting):
    assert plan_resources(Resources(), nodes).starting == starting


@pytest.mark.parametrize(
    ("asked", "nodes", "complaint"),
    [
        ({"gpus_per_trial": 1}, one(8), "requested 1 GPU per trial; this machine has 0"),
        ({"gpus_per_trial": 0.5}, one(8), "requested 0.5 GPUs per trial"),
        ({"gpus_per_trial": 3}, [*one(8, 2), *one(8, 2)], "cluster has 2 on its largest node"),
        ({"cpus_per_trial": 9}, one(8), "requested 9 CPU cores"),
    ],
)
def test_what_could_never_be_scheduled_is_refused(asked, nodes, complaint):
    with pytest.raises(ResourceError, match=complaint):
        plan_resources(Resources(**asked), nodes)


@pytest.mark.parametrize(
    "asked",
    [
        *({"gpus_per_trial": gpus} for gpus in (-1, 1.5, 1e-300, math.inf, math.nan)),
        *({"concurrent": count} for count in (0, -1, 10**9, 10**400)),
        *({"cpus_per_trial": count} for count in (0, -1, 10**9, 10**400)),
    ],
)
def test_nonsense_is_refused_where_it_is_written(asked):
    with pytest.raises(ConfigError):
        Resources(**asked)
