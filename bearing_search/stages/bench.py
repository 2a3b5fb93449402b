"""Where a unit's stages are computed, and how one that learns is computed or read."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bearing_search.stages.checkpoint import Checkpoint, Row
from bearing_search.stages.store import StageStore
from bearing_search.stages.store_entry import Entry
from bearing_search.stages.store_key import StageKey


@runtime_checkable
class Begin(Protocol):
    """Starts a stage, or goes on from its checkpoint."""

    def __call__(self, *, checkpoint: Checkpoint, should_stop: Callable[[], bool]) -> Iterator[Row]:
        """Rows as they are made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a unit's stages are computed, and on whose account."""

    store: StageStore
    user: str
    """The trial: `sweep/trials/00003`."""

    title: str
    """The unit, for people."""

    should_stop: Callable[[], bool]
    device: str

    def claim(self, key: StageKey) -> AbstractContextManager[Entry | None]:
        """See `StageStore.claim`."""
        return self.store.claim(key, user=self.user, title=self.title, should_stop=self.should_stop)

    def find(self, key: StageKey) -> Entry | None:
        """See `StageStore.find`."""
        return self.store.find(key, user=self.user, title=self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished stage that has learned."""

    checkpoint: Checkpoint
    seconds: Mapping[str, float]
    """Time of compute by the trial that spent it, with that of what it went on from."""


def trained(
    bench: Bench,
    key: StageKey,
    begin: Begin,
    *,
    file: str,
    what: str,
    rows: list[tuple[str, Row]],
    start: Trained | None = None,
) -> Generator[tuple[str, Row], None, Trained | None]:
    """A stage that learns, computed here or read from the store; None if it was stopped.

    Args:
        file: name of its checkpoint.
        what: it is called so in the rows.
        rows: what was measured so far; what is new is added, and yielded.
        start: an earlier part of the same training, to go on from. Its rows come first.
    """
    known = sum(name == what for name, _ in rows)
    with bench.claim(key) as entry:
        if entry is None:
            return None
        checkpoint = Checkpoint(entry.folder, file, write=bench.store.with_room)
        if start is not None:
            checkpoint.go_on_from(start.checkpoint, start.seconds)
        for number, row in enumerate(
            begin(checkpoint=checkpoint, should_stop=lambda: bench.should_stop() or entry.is_lost)
        ):
            if number >= known:
                rows.append((what, row))
                yield rows[-1]
        if not checkpoint.is_finished:
            return None
        if not entry.is_done:
            bench.store.finish(entry)
        return Trained(checkpoint=checkpoint, seconds=_added(entry.seconds, checkpoint.inherited_s))


def reopened(entry: Entry, file: str) -> Trained:
    """A finished stage that was found in the store."""
    checkpoint = Checkpoint(entry.folder, file)
    return Trained(checkpoint=checkpoint, seconds=_added(entry.seconds, checkpoint.inherited_s))


def _added(one: Mapping[str, float], other: Mapping[str, float]) -> Mapping[str, float]:
    return {who: one.get(who, 0.0) + other.get(who, 0.0) for who in one.keys() | other.keys()}
