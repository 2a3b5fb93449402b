from typing import Any

from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord

RECORD = SweepRecord(
    name="one",
    space_text="",
    data="/d",
    data_digest="d",
    target=3,
    max_failures=2,
    stops_when_converged=True,
    seeds=SeedPlan(audit=4),
    resources=Resources(concurrent=2),
)


def test_what_is_left_open_stays_as_recorded():
    session = SessionOptions(
        time_budget_s=1.0, gpu_budget_s=2.0, trial_timeout_s=3.0, retries_failed=True, join=True
    )
    assert session.applied_to(RECORD) == RECORD


def test_what_is_said_replaces_the_record_zero_and_false_too():
    asked: dict[str, Any] = {
        "target": 0,
        "max_failures": 0,
        "stops_when_converged": False,
        "seeds": SeedPlan(),
        "resources": Resources(),
    }
    changed = SessionOptions(**asked).applied_to(RECORD)
    assert {name: getattr(changed, name) for name in asked} == asked
    assert changed.sweep_id == RECORD.sweep_id
