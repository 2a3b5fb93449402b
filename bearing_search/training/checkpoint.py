"""A stage's progress on disk: what it has measured, and the state from which it goes on."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from bearing_search.filesystem.atomic import replacing
from bearing_search.stage_cache.compute_time import Seconds

Row = dict[str, float]
"""Measurements at one moment of a stage, by name."""


class Checkpoint:
    """Progress of one stage, kept in one file that is replaced atomically.

    `trace.jsonl` beside it gains a line when it goes on from another stage and at every start, save
    and finish, so that anybody can check that no iteration ran twice but those after the last save.
    """

    def __init__(
        self,
        folder: Path,
        stage: str,
        *,
        overhead: float = 0.03,
        write: Callable[[Callable[[], None]], None] = lambda write: write(),
    ) -> None:
        """Read what is there.

        Args:
            folder: where it is kept; made if missing.
            stage: name of the stage, and of its file.
            overhead: share of the time that saving may take; it sets how often `save_if_due` saves.
            write: runs what writes a file; it may make room where the disk is full.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{stage}.pt"
        self._trace = folder / "trace.jsonl"
        self._stage = stage
        self._overhead, self._write = overhead, write
        self._last_save = time.monotonic()
        self._save_seconds = 0.1
        self.iteration = 0
        """Iterations that are done."""
        self.history: list[Row] = []
        """Rows recorded so far."""
        self.state: dict[str, Any] | None = None
        """What the stage saved; None at a fresh start."""
        self.is_finished = False
        """Whether the stage has nothing left to do."""
        self.inherited_s: Seconds = {}
        """Time of compute of what the stage reads, or of an earlier part that it went on from."""
        if self._file.exists():
            saved = torch.load(self._file, map_location="cpu", weights_only=True)
            self.iteration, self.history = saved["iteration"], saved["history"]
            self.state, self.is_finished = saved["state"], saved["is_finished"]
            self.inherited_s = saved["inherited_s"]

    def go_on_from(self, part: "Checkpoint", seconds: Seconds) -> None:
        """Begin where another stage has ended, unless something was done here already."""
        if self.state is None:
            self.iteration, self.state = part.iteration, part.state
            self.history, self.inherited_s = list(part.history), seconds
            self._note("inherit")

    def started(self) -> None:
        """Note in the trace from which iteration the stage goes on."""
        self._note("start")

    def save_if_due(self, iteration: int, state: Callable[[], Mapping[str, Any]]) -> None:
        """Save when that keeps the share of time spent on saving within `overhead`."""
        waited = time.monotonic() - self._last_save
        if waited * self._overhead >= self._save_seconds:
            self.save(iteration, state())

    def save(self, iteration: int, state: Mapping[str, Any], *, is_finished: bool = False) -> None:
        """Write everything, under a temporary name first."""
        begun = time.monotonic()
        self.iteration, self.state, self.is_finished = iteration, dict(state), is_finished
        content = {
            "iteration": iteration,
            "history": self.history,
            "state": self.state,
            "is_finished": is_finished,
            "inherited_s": self.inherited_s,
        }

        def write() -> None:
            # a stream, not a name: torch reports a full disk as a RuntimeError about positions
            with replacing(self._file) as stream:
                torch.save(content, stream)

        self._write(write)
        self._note("finish" if is_finished else "save")
        self._last_save = time.monotonic()
        self._save_seconds = self._last_save - begun

    def finish(self, iteration: int, state: Mapping[str, Any]) -> None:
        """Write the stage's output; it will not run again."""
        self.save(iteration, state, is_finished=True)

    def _note(self, event: str) -> None:
        line = {
            "stage": self._stage,
            "event": event,
            "iteration": self.iteration,
            "pid": os.getpid(),
            "time": round(time.time(), 3),
        }
        with self._trace.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
