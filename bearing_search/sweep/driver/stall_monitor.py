"""Detects trials that have stalled or exceed their timeout."""

import time

from bearing_search.text.durations import format_duration

STALL_S = 600.0
"""Minimum silence in seconds before a trial counts as stalled."""

STALL_FACTOR = 5.0
"""A trial counts as stalled after this multiple of the longest silence that ended in a report."""

GRACE_S = 120.0
"""Seconds that a trial has to save its state once asked to stop."""


class StallMonitor:
    """Tracks when each running trial started and when it last reported.

    Args:
        timeout_s: maximum seconds that a trial may run in this session; None: no limit.
    """

    def __init__(self, *, timeout_s: float | None = None) -> None:
        self.timeout_s = timeout_s
        self._begun: dict[int, float] = {}
        self._heard: dict[int, float] = {}
        self._asked: dict[int, float] = {}
        self._remarked: set[int] = set()
        self._longest_s = 0.0

    def begin(self, number: int) -> None:
        """Record that a trial starts, for the first time or again."""
        self._begun[number] = self._heard[number] = time.monotonic()

    def on_report(self, number: int) -> None:
        """Record a trial's report."""
        now = time.monotonic()
        self._longest_s = max(self._longest_s, now - self._heard[number])
        self._heard[number] = now
        self._remarked.discard(number)

    def end(self, number: int) -> None:
        """Forget a trial, whose process has ended."""
        for known in (self._begun, self._heard, self._asked):
            known.pop(number, None)
        self._remarked.discard(number)

    def stalled(self) -> dict[int, str]:
        """Trial -> warning, for trials that have stalled; each silence is listed once."""
        now, limit = time.monotonic(), max(STALL_S, STALL_FACTOR * self._longest_s)
        found = {}
        for number, heard in self._heard.items():
            if now - heard > limit and number not in self._remarked:
                self._remarked.add(number)
                longest = format_duration(self._longest_s, rounded=True)
                usual = f"; the longest silence so far was {longest}" if self._longest_s else ""
                silence = format_duration(now - heard, rounded=True)
                found[number] = f"has reported nothing for {silence}{usual}"
        return found

    def timed_out(self) -> list[int]:
        """Trials that have exceeded the timeout, each listed once."""
        if self.timeout_s is None:
            return []
        now = time.monotonic()
        found = [n for n, begun in self._begun.items() if now - begun > self.timeout_s]
        fresh = [number for number in found if number not in self._asked]
        self._asked |= dict.fromkeys(fresh, now)
        return fresh

    def unresponsive(self) -> list[int]:
        """Timed-out trials that did not stop within GRACE_S; listed again after each GRACE_S."""
        now = time.monotonic()
        found = [number for number, asked in self._asked.items() if now - asked > GRACE_S]
        self._asked |= dict.fromkeys(found, now)
        return found
