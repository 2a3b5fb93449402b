"""The benchmark by which a change shows that it moves no number."""

import json
import runpy
from pathlib import Path

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "same_numbers.py"))


@pytest.fixture
def values(tmp_path):
    def measured(*steps):
        folder = tmp_path / "trials" / "00000"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"step": k, "values": step}) for k, step in enumerate(steps)]
        (folder / "measurements.jsonl").write_text("\n".join(lines) + "\n")
        return BENCHMARK["values_of"](tmp_path)

    return measured


def test_equal_values_and_new_ones_are_told_and_times_are_left_out(values):
    before = values({"loss": 0.1, "cost/seconds": 1.0}, {"score": float("nan")})
    after = values({"loss": 0.1, "cost/seconds": 2.0}, {"score": float("nan"), "more": 1.0})
    text, is_same = BENCHMARK["compared"](before, after)
    assert is_same
    assert text == "2 of 2 values are equal to the last bit; 0 differ, 0 are gone, 1 are new"


def test_what_differs_in_the_last_bit_or_is_gone_is_named(values):
    before = values({"loss": 0.3, "other": 1.0})
    text, is_same = BENCHMARK["compared"](before, values({"loss": 0.1 + 0.2}))
    assert not is_same
    assert text.splitlines() == [
        "0 of 2 values are equal to the last bit; 1 differ, 1 are gone, 0 are new",
        "trial 00000, step 0, loss: 0.3 -> 0.30000000000000004",
        "trial 00000, step 0, other: gone",
    ]


def test_a_folder_without_trials_is_no_proof(tmp_path):
    with pytest.raises(SystemExit, match="no trial has measured anything"):
        BENCHMARK["values_of"](tmp_path)
