"""What `just mutants` changes; it uses cosmic-ray's operators beyond their public API."""

import ast
import runpy
from pathlib import Path

MUTATIONS = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "mutations.py"))

MODULE = '''"""Rates of 2 kinds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    hits: int | None = 0


def rate(hits: int | None, *, count: int) -> float | None:
    """At most 1."""
    pairs = zip([hits], [count], strict=True)
    if hits < count and any(pairs):
        return hits / max(count, 1)
    return None
'''


def test_what_runs_is_changed_and_annotations_and_assertions_are_not(tmp_path):
    file = tmp_path / "rate.py"
    file.write_text(MODULE)
    mutants = list(MUTATIONS["mutants_of"](file))

    condition, quotient = "if hits < count and any(pairs):", "return hits / max(count, 1)"
    assert {mutant.change for mutant in mutants} == {
        "Rate: hits: int | None = 0 -> hits: int | None = 1",
        "Rate: hits: int | None = 0 -> hits: int | None = -1",
        f"rate: {condition} -> if not hits < count and any(pairs):",
        f"rate: {condition} -> if hits <= count and any(pairs):",
        f"rate: {condition} -> if hits < count or any(pairs):",
        f"rate: {condition} -> if hits < count and all(pairs):",
        f"rate: {quotient} -> return hits * max(count, 1)",
        f"rate: {quotient} -> return hits / min(count, 1)",
        f"rate: {quotient} -> return hits / max(count, 2)",
        f"rate: {quotient} -> return hits / max(count, 0)",
    }
    assert {mutant.line for mutant in mutants} == {8, 14, 15}
    assert all(ast.parse(mutant.source) and mutant.source != MODULE for mutant in mutants)
