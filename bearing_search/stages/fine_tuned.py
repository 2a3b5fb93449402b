"""The fine-tuned encoder of a unit, computed here or read from the store, whole or in parts.

Two trainings whose first iterations are equal share them: those of reconstruction alone, whatever
the alternation after them; and where the learning rates are constant, a shorter training is the
beginning of a longer one. Under `finetune.schedule: iterations` learning rates depend on how many
iterations there are in all, so that trainings hardly ever begin alike, and no part is kept.
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from bearing_search.config import FinetuneSchedule
from bearing_search.model.schedule import Task
from bearing_search.stages.bench import Bench, Trained, reopened, trained
from bearing_search.stages.checkpoint import Row
from bearing_search.stages.finetune import finetune
from bearing_search.stages.plans import Step
from bearing_search.stages.store_key import STAGES_VERSION, StageKey
from bearing_search.stages.tuning import Finetuning

_FILE, _WHAT = "finetune", "fine-tuning"
_SEEN_IN_THE_PLAN = {
    *("epochs", "reconstruction_only_epochs", "alternation_period"),
    *("schedule", "warmup_share"),
}
"""Settings of fine-tuning that the iterations themselves tell: tasks, samples, learning rates."""


def fine_tuned(
    bench: Bench,
    whole: StageKey,
    tuning: Finetuning,
    plan: list[Step],
    *,
    schedule: FinetuneSchedule,
    rows: list[tuple[str, Row]],
) -> Generator[tuple[str, Row], None, Trained | None]:
    """Fine-tune the encoder of `tuning`, going on from the longest beginning that is in the store.

    Args:
        whole: key of the fine-tuned encoder.
        rows: see `trained`.
    """
    parts = part_keys(whole, plan)
    start: Trained | None = None
    if bench.find(whole) is None:
        for end in kept_ends(plan, schedule):
            if bench.find(parts[end]) is None:
                start = _longest(bench, parts, before=end) or start
            part = partial(finetune, tuning, plan[:end], is_whole=False)
            start = yield from trained(
                bench, parts[end], part, file=_FILE, what=_WHAT, rows=rows, start=start
            )
            if start is None:
                return None
    begin = partial(finetune, tuning, plan)
    return (yield from trained(bench, whole, begin, file=_FILE, what=_WHAT, rows=rows, start=start))


def kept_ends(plan: Sequence[Step], schedule: FinetuneSchedule) -> list[int]:
    """After how many iterations the state is kept for others to go on from, in order."""
    if schedule == "iterations":
        return []
    tasks = [step.task for step in plan]
    is_mixed = Task.PATCH_CLASSIFICATION in tasks
    alone = tasks.index(Task.PATCH_CLASSIFICATION) if is_mixed else 0
    ends = [alone] if alone else []
    return [*ends, len(plan)] if schedule == "constant" else ends


def part_keys(whole: StageKey, plan: Sequence[Step]) -> dict[int, StageKey]:
    """Name the state after each epoch, by the number of iterations until then.

    Args:
        whole: key of the fine-tuned encoder.
        plan: its iterations. All that is random in one is a function of its position and the seed.
    """
    settings: Mapping[str, Any] = whole.facts["settings"]
    kept = {k: v for k, v in settings["finetune"].items() if k not in _SEEN_IN_THE_PLAN}
    facts = {
        **whole.facts,
        "stage": "tuning",
        "version": STAGES_VERSION["encoder"],
        "settings": {**settings, "finetune": kept},
    }
    keys, seen = {}, hashlib.sha256()
    for number, step in enumerate(plan, start=1):
        what = f"{step.epoch} {step.task} {step.lr_factor!r} {step.batch.tolist()}\n"
        seen.update(what.encode())
        if step.ends_epoch:
            keys[number] = StageKey("tuning", {**facts, "iterations": seen.hexdigest()[:32]})
    return keys


def _longest(bench: Bench, parts: Mapping[int, StageKey], *, before: int) -> Trained | None:
    for end in sorted(parts, reverse=True):
        if end < before and (entry := bench.find(parts[end])) is not None:
            return reopened(entry, _FILE)
    return None
