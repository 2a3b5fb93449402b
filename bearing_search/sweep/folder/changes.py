"""Accepts or refuses changes of space, code and data between two sessions of a sweep."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Literal

from bearing_search.errors import SweepError
from bearing_search.search_space.difference import (
    differing_lines,
    space_difference,
    space_facts,
)
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
    """The sweep with a space that was edited after it began.

    Args:
        folder: the sweep.
        now: the edited space.
        source: where the space was read from, for display.
        accepted: changes that the user accepts.

    Raises:
        SweepError: the spaces differ by more than ranges, or the change is not accepted; shows the
            difference.
    """
    record = folder.record
    if record.folds is not None:
        now = now.with_setting("split.folds", record.folds)
    lines = space_difference(folder.space(), now)
    if not lines:
        return folder
    obstacle = _obstacle(folder.space(), now, record)
    if obstacle or "space" not in accepted:
        advice = (
            f"{obstacle}: start a new sweep under another name (with --warm-start, if possible)"
            if obstacle
            else "only ranges have changed: continue with the new ones by --accept-change space"
        )
        raise SweepError(
            "\n".join(
                [
                    f"{record.name}: the search space differs from the one the sweep began with",
                    *lines,
                    advice,
                ]
            )
        )
    changed = replace(record, space_text=now.text, space_source=source)
    return folder.with_record(_noted(changed, "space", lines))


def with_code(folder: SweepFolder, *, accepted: Collection[Changeable]) -> SweepFolder:
    """The sweep with the current versions of the stages' code.

    Raises:
        SweepError: a stage's code has changed since the sweep began, and this is not accepted.
    """
    record = folder.record
    now = {name: str(number) for name, number in STAGES_VERSION.items()}
    lines = differing_lines({name: str(n) for name, n in record.stages.items()}, now)
    if not lines:
        return folder
    if "code" not in accepted:
        raise SweepError(
            "\n".join(
                [
                    f"{record.name}: the code has changed since the sweep began; stages whose "
                    "numbers differ:",
                    *lines,
                    "New scores would not be comparable with earlier ones. Use that version "
                    f"({record.git_commit[:12] or record.versions.get('bearing_search', 'unknown')}"
                    "), start a new sweep under another name, or continue with --accept-change "
                    "code, which every report will state",
                ]
            )
        )
    return folder.with_record(_noted(replace(record, stages=dict(STAGES_VERSION)), "code", lines))


def with_data(folder: SweepFolder, data_digest: str, *, accepted: bool) -> SweepFolder:
    """The sweep about to be evaluated on the training data of today.

    The record keeps the digest that the sweep began with, so that nothing else takes the new data.

    Args:
        data_digest: of train as it is now.
        accepted: whether a setting may be trained on other data than it was chosen on.

    Raises:
        SweepError: train has changed since the sweep began, and this is not accepted.
    """
    record = folder.record
    lines = differing_lines({"data digest": record.data_digest}, {"data digest": data_digest})
    if not lines:
        return folder
    if not accepted:
        raise SweepError(
            "\n".join(
                [
                    f"{record.name}: the training data has changed since the sweep began",
                    *lines,
                    "The setting was chosen on other data than would be trained on. Restore "
                    f"{folder.data}, start a new sweep under another name, or train on the data "
                    "as it is now with --refit-changed-data, which every report will state",
                ]
            )
        )
    if any(change.what == "data" and list(change.lines) == lines for change in record.changes):
        return folder
    return folder.with_record(_noted(record, "data", lines))


def _noted(
    record: SweepRecord, what: Changeable | Literal["data"], lines: list[str]
) -> SweepRecord:
    change = AcceptedChange(
        what=what, date=f"{datetime.now().astimezone():%Y-%m-%d %H:%M}", lines=tuple(lines)
    )
    return replace(record, changes=(*record.changes, change))


def _obstacle(then: SearchSpace, now: SearchSpace, record: SweepRecord) -> str:
    """Why the two spaces cannot belong to one sweep; empty: they can."""
    if sampler_spec(record.sampler).is_exhaustive:
        return "a grid runs every point of its space"
    if record.known:
        return "the sweep was warm-started on the space that it began with"
    if _unranged(then) != _unranged(now):
        return "not only parameters have changed"
    if list(then.parameters) != list(now.parameters):
        return "parameters were added, removed or reordered"
    for path, parameter in now.parameters.items():
        if not _is_same_kind(then.parameters[path], parameter):
            return f"{path} has a different type or different choices"
    return ""


def _unranged(space: SearchSpace) -> dict[str, str]:
    return {k: v for k, v in space_facts(space).items() if not k.startswith(("vary.", "enqueue."))}


def _is_same_kind(then: Parameter, now: Parameter) -> bool:
    """Whether Optuna can keep drawing the parameter: ranges may change, choices may not."""
    if isinstance(then, IntParameter) and isinstance(now, IntParameter):
        return True
    if isinstance(then, FloatParameter) and isinstance(now, FloatParameter):
        return then.log == now.log
    return then == now
