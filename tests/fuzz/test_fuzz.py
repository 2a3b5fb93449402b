"""Commands on hundreds of inputs with mistakes in them, each a function of its seed.

`FUZZ_CASES` sets how many of each kind (`just fuzz`: thousands), `FUZZ_SEED` the first seed. A case
that failed is repeated with `FUZZ_CASES=1 FUZZ_SEED=N`.
"""

import os
from random import Random

import pytest

from . import cases
from .oracle import attempt

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("FUZZ_CASES", "60"))
FIRST = int(os.environ.get("FUZZ_SEED", "0"))
BLOCK = 20
"""Cases in one test: a failure names its seed."""

blocks = pytest.mark.parametrize("first", range(FIRST, FIRST + CASES, BLOCK))


def seeds(first):
    return range(first, min(first + BLOCK, FIRST + CASES))


@pytest.fixture
def place(tmp_path):
    """A working directory whose parent holds nothing else."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@blocks
def test_a_space_is_right_or_refused_in_one_line(place, first):
    for seed in seeds(first):
        (place / "space.yaml").write_text(cases.search_space(Random(seed)), encoding="utf-8")
        attempt(["check", "space.yaml", "--no-weights"], place=place)


@blocks
def test_a_manifest_is_read_or_refused_in_one_line(place, first):
    for seed in seeds(first):
        cases.write_data_set(place / f"data{seed}", Random(seed))
        attempt(["check", f"data{seed}"], place=place)


@blocks
def test_a_command_line_is_understood_or_refused_in_one_line(place, first):
    for seed in seeds(first):
        attempt(cases.command_line(Random(seed)), place=place)


@blocks
def test_a_damaged_sweep_costs_a_line_and_nothing_else(make_sweep, place, tmp_path, first):
    make_sweep("one", [3.0, 1.0])
    make_sweep("two", [2.0])
    for seed in seeds(first):
        random = Random(seed)
        copy = cases.copied(tmp_path / "results", place / "results" / str(seed))
        what = cases.damage(copy / "one", random)
        results = ["--results", f"results/{seed}"]
        for command in (["status"], ["status", "one"], ["compare", "one"], ["cache", "ls"]):
            attempt([*command, *results], place=place)
        other = attempt(["compare", "two", *results], place=place)
        assert other.status == 0, (what, other)
