"""Readable line-by-line difference between two search spaces."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bearing_search.search_space.space import SearchSpace


def space_difference(before: SearchSpace, after: SearchSpace) -> list[str]:
    """Lines such as `- vary.seed: int [1, 3]` and `+ vary.seed: int [1, 9]`; empty if equivalent.

    Comments and the order of the base do not matter.
    """
    return differing_lines(space_facts(before), space_facts(after))


def differing_lines(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Entries that differ, prefixed with `-` for `before` and `+` for `after`."""
    lines = []
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            lines += [f"- {key}: {before[key]}"] if key in before else []
            lines += [f"+ {key}: {after[key]}"] if key in after else []
    return lines


def space_facts(space: SearchSpace) -> dict[str, str]:
    """A space as dotted keys (`base.`, `vary.`, `when.` ...) -> readable values."""
    facts = {f"base.{path}": json.dumps(value) for path, value in _leaves(space.base)}
    facts |= {f"vary.{path}": str(parameter) for path, parameter in space.parameters.items()}
    facts |= {f"when.{path}": str(condition) for path, condition in space.conditions.items()}
    facts |= {f"enqueue.{n}": json.dumps(one) for n, one in enumerate(space.enqueued, start=1)}
    objective_spec = space.objective_spec
    facts |= {
        f"objectives.{n}": str(one) for n, one in enumerate(objective_spec.objectives, start=1)
    }
    return facts | {
        f"constraints.{n}": str(c) for n, c in enumerate(objective_spec.constraints, start=1)
    }


def _leaves(raw: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in raw.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
