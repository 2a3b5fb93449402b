"""Runs a training stage of a fold, or reads its result from the stage cache."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.compute_time import Seconds, merged
from bearing_search.stage_cache.entry import Entry
from bearing_search.stage_cache.key import StageKey
from bearing_search.training.checkpoint import Checkpoint, Row


@runtime_checkable
class StageFn(Protocol):
    """Starts a stage, or resumes it from its checkpoint."""

    def __call__(self, *, checkpoint: Checkpoint, should_stop: Callable[[], bool]) -> Iterator[Row]:
        """Yield the stage's rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningStage:
    """Identity of a training stage: its cache entry, its checkpoint and its title."""

    key: StageKey
    file: str
    """Name of its checkpoint."""

    title: str
    """Its name in the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """Where a fold's stages are computed, and for which trial."""

    store: StageCache
    user: str
    """The trial: `sweep/trials/00003`."""

    title: str
    """Display name of the fold."""

    should_stop: Callable[[], bool]
    device: str

    def claim(self, key: StageKey) -> AbstractContextManager[Entry | None]:
        """See `StageCache.claim`."""
        return self.store.claim(key, user=self.user, title=self.title, should_stop=self.should_stop)

    def find(self, key: StageKey) -> Entry | None:
        """See `StageCache.find`."""
        return self.store.find(key, user=self.user, title=self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """A finished training stage."""

    checkpoint: Checkpoint
    seconds: Seconds
    """Includes the training that it continued and the features that it read."""


def run_stage(
    stage_context: StageContext,
    stage: LearningStage,
    begin: StageFn,
    *,
    rows: list[tuple[str, Row]],
    read_s: Seconds,
    start: StageResult | None = None,
) -> Generator[tuple[str, Row], None, StageResult | None]:
    """Yield a stage's rows, computed here or read from the cache; returns None if stopped.

    Args:
        rows: rows so far; new ones are appended and yielded.
        read_s: compute time of the features that the stage reads.
        start: a shorter version of the same training, to continue. Its rows come first.
    """
    known = sum(name == stage.title for name, _ in rows)
    with stage_context.claim(stage.key) as entry:
        if entry is None:
            return None
        checkpoint = Checkpoint(entry.folder, stage.file, write=stage_context.store.with_room)
        if checkpoint.state is None:
            checkpoint.inherited_s = read_s
        if start is not None:
            checkpoint.go_on_from(start.checkpoint, start.seconds)
        for number, row in enumerate(
            begin(
                checkpoint=checkpoint,
                should_stop=lambda: stage_context.should_stop() or entry.is_lost,
            )
        ):
            if number >= known:
                rows.append((stage.title, row))
                yield rows[-1]
        if not checkpoint.is_finished:
            return None
        if not entry.is_done:
            stage_context.store.finish(entry)
        return _finished_stage(entry, checkpoint)


def load_stage(entry: Entry, file: str) -> StageResult:
    """A finished stage that was found in the cache."""
    return _finished_stage(entry, Checkpoint(entry.folder, file))


def _finished_stage(entry: Entry, checkpoint: Checkpoint) -> StageResult:
    seconds = merged(checkpoint.inherited_s, {entry.key.stage: entry.seconds})
    return StageResult(checkpoint=checkpoint, seconds=seconds)
