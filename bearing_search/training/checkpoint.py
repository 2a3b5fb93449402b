"""Checkpoints: a stage's progress on disk, with its measurements and the state to resume from."""

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
"""Measurements at one point of a stage, by name."""


class Checkpoint:
    """Progress of one stage, in one file that is replaced atomically.

    `trace.jsonl` in the same folder gets a line whenever the stage inherits another one's state,
    starts, saves or finishes, which shows that only iterations after the last save ran twice.
    """

    def __init__(
        self,
        folder: Path,
        stage: str,
        *,
        overhead: float = 0.03,
        write: Callable[[Callable[[], None]], None] = lambda write: write(),
    ) -> None:
        """Load the checkpoint if it exists.

        Args:
            folder: folder of the checkpoint; created if missing.
            stage: name of the stage, and of its file.
            overhead: share of the time that saving may take; limits how often `save_if_due` saves.
            write: calls a function that writes a file; it may free space if the disk is full.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{stage}.pt"
        self._trace = folder / "trace.jsonl"
        self._stage = stage
        self._overhead, self._write = overhead, write
        self._last_save = time.monotonic()
        self._save_seconds = 0.1
        self.iteration = 0
        """Completed iterations."""
        self.history: list[Row] = []
        """Rows recorded so far."""
        self.state: dict[str, Any] | None = None
        """State saved by the stage; None before the first save."""
        self.is_finished = False
        """Whether the stage is complete."""
        self.inherited_s: Seconds = {}
        """Compute time of the stage's inputs, or of the shorter training that it continues."""
        if self._file.exists():
            saved = torch.load(self._file, map_location="cpu", weights_only=True)
            self.iteration, self.history = saved["iteration"], saved["history"]
            self.state, self.is_finished = saved["state"], saved["is_finished"]
            self.inherited_s = saved["inherited_s"]

    def go_on_from(self, part: "Checkpoint", seconds: Seconds) -> None:
        """Start from the end of another stage, unless this one already has a state."""
        if self.state is None:
            self.iteration, self.state = part.iteration, part.state
            self.history, self.inherited_s = list(part.history), seconds
            self._note("inherit")

    def started(self) -> None:
        """Record in the trace at which iteration the stage starts."""
        self._note("start")

    def save_if_due(self, iteration: int, state: Callable[[], Mapping[str, Any]]) -> None:
        """Save if the share of time spent on saving stays within `overhead`."""
        waited = time.monotonic() - self._last_save
        if waited * self._overhead >= self._save_seconds:
            self.save(iteration, state())

    def save(self, iteration: int, state: Mapping[str, Any], *, is_finished: bool = False) -> None:
        """Write the checkpoint, to a temporary file first."""
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
            # a stream, not a path, for which torch reports a full disk as an obscure RuntimeError
            with replacing(self._file) as stream:
                torch.save(content, stream)

        self._write(write)
        self._note("finish" if is_finished else "save")
        self._last_save = time.monotonic()
        self._save_seconds = self._last_save - begun

    def finish(self, iteration: int, state: Mapping[str, Any]) -> None:
        """Write the stage's output; the stage will not run again."""
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
