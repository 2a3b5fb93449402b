"""What may change between two sessions of a sweep, and is then told, and what may not."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from bearing_search.errors import SweepError
from bearing_search.search_space.parameters import FloatParameter, IntParameter, Parameter
from bearing_search.search_space.space import SearchSpace
from bearing_search.stage_cache.key import STAGES_VERSION
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.record.accepted_change import AcceptedChange, Changeable
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.study.samplers import sampler_spec


def with_space(
    folder: SweepFolder, now: SearchSpace, source: str, *, accepted: Collection[Changeable]
) -> SweepFolder:
    """The sweep over a space that has been edited since it began.

    Args:
        folder: the sweep.
        now: the space as it is.
        source: where that was read, for people.
        accepted: changes that the user agrees to.

    Raises:
        SweepError: the two differ by more than ranges, or nobody has agreed; with the difference.
    """
    record = folder.record
    if record.folds is not None:
        now = now.with_setting("split.folds", record.folds)
    before, after = _facts(folder.space()), _facts(now)
    lines = list(_difference(before, after))
    if not lines:
        return folder
    obstacle = _obstacle(folder.space(), now, record)
    if obstacle or "space" not in accepted:
        advice = (
            f"{obstacle}: start a sweep of another name (--warm-start, where it allows it)"
            if obstacle
            else "only ranges have changed: --accept-change space goes on with the new ones"
        )
        raise SweepError(
            "\n".join(
                [
                    f"{record.name}: the search space is not the one that the sweep began with",
                    *lines,
                    advice,
                ]
            )
        )
    changed = replace(record, space_text=now.text, space_source=source)
    return folder.with_record(_noted(changed, "space", lines))


def with_code(folder: SweepFolder, *, accepted: Collection[Changeable]) -> SweepFolder:
    """The sweep under the code of today.

    Raises:
        SweepError: stages give other numbers than when the sweep began, and nobody has agreed.
    """
    record = folder.record
    now = {name: str(number) for name, number in STAGES_VERSION.items()}
    lines = list(_difference({name: str(n) for name, n in record.stages.items()}, now))
    if not lines:
        return folder
    if "code" not in accepted:
        raise SweepError(
            "\n".join(
                [
                    f"{record.name}: the code has changed since the sweep began; stages that give "
                    "other numbers:",
                    *lines,
                    "New scores could not be compared with earlier ones. Use that version "
                    f"({record.git_commit[:12] or record.versions.get('bearing_search', 'unknown')}"
                    "), start a sweep of another name, or go on with --accept-change code, which "
                    "every report will tell",
                ]
            )
        )
    return folder.with_record(_noted(replace(record, stages=dict(STAGES_VERSION)), "code", lines))


def _noted(record: SweepRecord, what: Changeable, lines: list[str]) -> SweepRecord:
    change = AcceptedChange(
        what=what, date=f"{datetime.now().astimezone():%Y-%m-%d %H:%M}", lines=tuple(lines)
    )
    return replace(record, changes=(*record.changes, change))


def _facts(space: SearchSpace) -> dict[str, str]:
    """A space by dotted keys, comparable and readable."""
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


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            if key in before:
                yield f"- {key}: {before[key]}"
            if key in after:
                yield f"+ {key}: {after[key]}"


def _obstacle(then: SearchSpace, now: SearchSpace, record: SweepRecord) -> str:
    """Why the sampler, or a reader, could not take both for one sweep; empty: they can."""
    if sampler_spec(record.sampler).is_exhaustive:
        return "a grid runs every point of its space"
    if record.known:
        return "the sweep was warm-started over the space that it began with"
    if _unranged(then) != _unranged(now):
        return "more than parameters has changed"
    if list(then.parameters) != list(now.parameters):
        return "parameters have come, gone or changed places"
    for path, parameter in now.parameters.items():
        if not _is_same_kind(then.parameters[path], parameter):
            return f"{path} is another kind of parameter, or has other choices"
    return ""


def _unranged(space: SearchSpace) -> dict[str, str]:
    return {k: v for k, v in _facts(space).items() if not k.startswith(("vary.", "enqueue."))}


def _is_same_kind(then: Parameter, now: Parameter) -> bool:
    """Whether Optuna can go on along a parameter: it takes other ranges, never other choices."""
    if isinstance(then, IntParameter) and isinstance(now, IntParameter):
        return True
    if isinstance(then, FloatParameter) and isinstance(now, FloatParameter):
        return then.log == now.log
    return then == now
