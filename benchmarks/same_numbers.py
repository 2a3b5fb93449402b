"""Whether two runs of one search space measured the same: shows that a change moves no number.

    python benchmarks/same_numbers.py /tmp/before/one /tmp/after/one

Compares every loss and score of every trial to the last bit, times (`cost/...`) apart. Exit status
1 where one differs or is gone. New ones are counted.
"""

import argparse
import json
import math
from pathlib import Path

Values = dict[tuple[str, int, str], float]
"""Trial, step and name of the metric -> what was measured."""


def main() -> int:
    """Print what is equal and what is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="folder of a sweep")
    parser.add_argument("after", type=Path, help="folder of the other sweep")
    options = parser.parse_args()
    text, is_same = compared(values_of(options.before), values_of(options.after))
    print(text)
    return 0 if is_same else 1


def values_of(sweep: Path) -> Values:
    """Every value that the trials of a sweep have measured, times apart."""
    files = sorted(sweep.glob("trials/*/measurements.jsonl"))
    if not files:
        raise SystemExit(f"{sweep}: no trial has measured anything; wanted the folder of a sweep.")
    return {
        (file.parent.name, line["step"], name): value
        for file in files
        for line in map(json.loads, file.read_text(encoding="utf-8").splitlines())
        for name, value in line["values"].items()
        if not name.startswith("cost/")
    }


def compared(before: Values, after: Values) -> tuple[str, bool]:
    """In words, and whether every value of before is there and equal."""
    common = before.keys() & after.keys()
    moved = sorted(key for key in common if not _is_equal(before[key], after[key]))
    gone = sorted(before.keys() - common)
    lines = [
        f"{len(common) - len(moved)} of {len(before)} values are equal to the last bit; "
        f"{len(moved)} differ, {len(gone)} are gone, {len(after) - len(common)} are new"
    ]
    for trial, step, name in moved[:10]:
        was, is_now = before[trial, step, name], after[trial, step, name]
        lines.append(f"trial {trial}, step {step}, {name}: {was!r} -> {is_now!r}")
    lines += [f"trial {trial}, step {step}, {name}: gone" for trial, step, name in gone[:10]]
    return "\n".join(lines), not moved and not gone


def _is_equal(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


if __name__ == "__main__":
    raise SystemExit(main())
