"""The fine-tuned encoder of a fold, computed here or read from the cache, in full or in part.

Two trainings share their common first iterations: the reconstruction-only epochs, which do not
depend on the alternation after them; and with constant learning rates, a whole shorter training.
With `finetune.schedule: iterations`, learning rates depend on the total number of iterations, so
that trainings rarely start alike, and no partial training is cached.
"""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from bearing_search.config import FinetuneConfig, FinetuneSchedule, names_seen_by
from bearing_search.models.finetuning.schedule import Task
from bearing_search.stage_cache.compute_time import Seconds
from bearing_search.stage_cache.key import STAGES_VERSION, StageKey
from bearing_search.training.checkpoint import Row
from bearing_search.training.finetuning.finetuner import Finetuner
from bearing_search.training.finetuning.loop import finetune
from bearing_search.training.plan import Step, digests_by_epoch
from bearing_search.training.stage_runner import (
    LearningStage,
    StageContext,
    StageResult,
    load_stage,
    run_stage,
)

_FILE = "finetune"
_ONLY_AT_THE_END = names_seen_by(FinetuneConfig, "end")
"""Fine-tuning settings that take effect after the last iteration."""


def cached_finetuning(
    stage_context: StageContext,
    whole: StageKey,
    finetuner: Finetuner,
    plan: list[Step],
    *,
    rows: list[tuple[str, Row]],
    read_s: Seconds,
) -> Generator[tuple[str, Row], None, StageResult | None]:
    """Fine-tune an encoder, resuming from the longest matching partial training in the cache.

    Args:
        whole: key of the fine-tuned encoder.
        rows, read_s: see `run_stage`.
    """
    parts = part_keys(whole, plan)
    run = partial(run_stage, stage_context, rows=rows, read_s=read_s)
    start: StageResult | None = None
    if stage_context.find(whole) is None:
        for end in cached_ends(plan, finetuner.config.schedule):
            if stage_context.find(parts[end]) is None:
                start = _longest(stage_context, parts, before=end) or start
            part = partial(finetune, finetuner, plan[:end], is_whole=False)
            start = yield from run(_stage(parts[end]), part, start=start)
            if start is None:
                return None
    begin = partial(finetune, finetuner, plan)
    return (yield from run(_stage(whole), begin, start=start))


def cached_ends(plan: Sequence[Step], schedule: FinetuneSchedule) -> list[int]:
    """Iterations after which the state is cached for other trainings to continue, in order."""
    if schedule == "iterations":
        return []
    tasks = [step.task for step in plan]
    is_mixed = Task.PATCH_CLASSIFICATION in tasks
    alone = tasks.index(Task.PATCH_CLASSIFICATION) if is_mixed else 0
    ends = [alone] if alone else []
    return [*ends, len(plan)] if schedule == "constant" else ends


def part_keys(whole: StageKey, plan: Sequence[Step]) -> dict[int, StageKey]:
    """Iterations up to the end of each epoch -> key of the state at that point.

    Args:
        whole: key of the fine-tuned encoder.
        plan: its iterations.
    """
    settings: Mapping[str, Any] = whole.facts["settings"]
    kept = {k: v for k, v in settings["finetune"].items() if k not in _ONLY_AT_THE_END}
    facts = {
        **whole.facts,
        "stage": "tuning",
        "version": STAGES_VERSION["encoder"],
        "settings": {**settings, "finetune": kept},
    }
    return {
        end: StageKey(
            "tuning", {**facts, "inputs": {**whole.facts["inputs"], "iterations": iterations}}
        )
        for end, iterations in digests_by_epoch(plan).items()
    }


def _stage(key: StageKey) -> LearningStage:
    return LearningStage(key=key, file=_FILE, title="fine-tuning")


def _longest(
    stage_context: StageContext, parts: Mapping[int, StageKey], *, before: int
) -> StageResult | None:
    for end in sorted(parts, reverse=True):
        if end < before and (entry := stage_context.find(parts[end])) is not None:
            return load_stage(entry, _FILE)
    return None
