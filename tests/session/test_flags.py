from dataclasses import replace

import pytest

from bearing_search.errors import ConfigError
from bearing_search.session.flags import session_options
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord

RECORD = SweepRecord(
    name="one",
    space_text="",
    data="/d",
    data_digest="d",
    target=3,
    seeds=SeedPlan(audit=4, finalists=2, each=5),
    resources=Resources(gpus_per_trial=0.5, concurrent=2, address="host:1"),
)


def test_no_flag_asks_for_nothing():
    assert session_options(RECORD) == SessionOptions(resources=RECORD.resources)
    assert session_options() == SessionOptions(resources=Resources())
    assert session_options(RECORD).applied_to(RECORD) == RECORD


def test_every_flag_arrives():
    found = session_options(
        trials=9,
        gpus_per_trial=0.0,
        cpus_per_trial=1,
        concurrent=3,
        address="host:2",
        depot="file:///depot",
        time_budget=60.0,
        gpu_hours=0.5,
        max_failures=0,
        trial_timeout=7.0,
        audit=2,
        finalists=1,
        seeds=4,
        stop_when_converged=False,
        retry_failed=True,
        join=True,
    )
    assert found == SessionOptions(
        target=9,
        resources=Resources(
            gpus_per_trial=0.0,
            cpus_per_trial=1,
            concurrent=3,
            address="host:2",
            depot="file:///depot",
        ),
        seeds=SeedPlan(audit=2, finalists=1, each=4),
        max_failures=0,
        stops_when_converged=False,
        time_budget_s=60.0,
        gpu_budget_s=1800.0,
        trial_timeout_s=7.0,
        retries_failed=True,
        join=True,
    )


def test_what_one_flag_leaves_open_stays_as_the_sweep_has_it():
    found = session_options(RECORD, concurrent=8, audit=0)
    assert found.resources == replace(RECORD.resources, concurrent=8)
    assert found.seeds == SeedPlan(audit=0, finalists=2, each=5)


def test_impossible_resources_are_refused():
    with pytest.raises(ConfigError, match=r"gpus per trial is 1\.5"):
        session_options(gpus_per_trial=1.5)
