import math

import pytest

from bearing_search.measurement import Measurement
from bearing_search.trial_history.measurement_log import (
    MeasurementLog,
    NewSteps,
    from_json,
    last_measurement,
    read_measurements,
    to_json,
)


def measurement(step, **values):
    return Measurement(step=step, values=values, stage="LC fold 1", progress=0.5, tags={"a": "b"})


def test_a_measurement_survives_its_line_nan_included():
    line = to_json(measurement(3, loss=math.nan, auroc=math.inf))

    assert "\n" not in line
    back = from_json(line)
    assert math.isnan(back.values["loss"])
    assert back.values["auroc"] == math.inf
    assert (back.step, back.stage, back.progress, back.tags) == (3, "LC fold 1", 0.5, {"a": "b"})


def test_a_repeated_stream_is_written_once(tmp_path):
    file = tmp_path / "m.jsonl"
    for _ in range(2):
        measurement_log = MeasurementLog(file)
        for step in (1, 2, 5):
            measurement_log.append(measurement(step))

    assert [m.step for m in read_measurements(file)] == [1, 2, 5]
    assert [m.step for m in read_measurements(file, after=1)] == [2, 5]


def test_a_step_is_new_once_whoever_repeats_it():
    new = NewSteps()
    assert [new.admit(measurement(step)) for step in (0, 1, 1, 0, 3, 2, 4)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    assert [NewSteps(2).admit(measurement(step)) for step in (1, 2, 3)] == [False, False, True]


def test_a_line_torn_by_a_kill_is_written_again(tmp_path):
    file = tmp_path / "m.jsonl"
    whole = to_json(measurement(1)) + "\n"
    file.write_text(whole + to_json(measurement(2))[:20])

    assert [m.step for m in read_measurements(file)] == [1]
    assert last_measurement(file).step == 1
    MeasurementLog(file).append(measurement(2))
    assert [m.step for m in read_measurements(file)] == [1, 2]


@pytest.mark.parametrize("size", [10, 5_000, 50_000])
def test_the_last_line_is_found_from_the_end_whatever_its_length(tmp_path, size):
    file = tmp_path / "m.jsonl"
    measurement_log = MeasurementLog(file)
    for step in range(1, 4):
        measurement_log.append(Measurement(step=step, values={}, stage="x" * size))

    assert last_measurement(file).step == 3
    file.write_text(file.read_text() + '{"step": 4')
    assert last_measurement(file).step == 3


def test_no_journal_is_no_measurement(tmp_path):
    assert last_measurement(tmp_path / "none") is None
    assert list(read_measurements(tmp_path / "none")) == []
    (tmp_path / "torn").write_text('{"st')
    assert last_measurement(tmp_path / "torn") is None
