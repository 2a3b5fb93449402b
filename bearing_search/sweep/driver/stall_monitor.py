"""Looks out for trials that say nothing for long, or that take longer than they may."""

import time

from bearing_search.durations import format_duration

STALL_S = 600.0
"""A shorter silence is never remarked on."""

STALL_FACTOR = 5.0
"""How many times the longest silence that a trial of the session came out of is too long."""

GRACE_S = 120.0
"""How long a trial that was asked to end may take to save its state."""


class StallMonitor:
    """When each running trial began, and when it was last heard of.

    Args:
        timeout_s: how long a trial may run in this session; None: without limit.
    """

    def __init__(self, *, timeout_s: float | None = None) -> None:
        self.timeout_s = timeout_s
        self._begun: dict[int, float] = {}
        self._heard: dict[int, float] = {}
        self._asked: dict[int, float] = {}
        self._remarked: set[int] = set()
        self._longest_s = 0.0

    def begin(self, number: int) -> None:
        """A trial starts, for the first time or again."""
        self._begun[number] = self._heard[number] = time.monotonic()

    def on_report(self, number: int) -> None:
        """A trial has reported something."""
        now = time.monotonic()
        self._longest_s = max(self._longest_s, now - self._heard[number])
        self._heard[number] = now
        self._remarked.discard(number)

    def end(self, number: int) -> None:
        """Its process is gone."""
        for known in (self._begun, self._heard, self._asked):
            known.pop(number, None)
        self._remarked.discard(number)

    def stalled(self) -> dict[int, str]:
        """Trials that reported nothing for much longer than any other, once for each silence."""
        now, limit = time.monotonic(), max(STALL_S, STALL_FACTOR * self._longest_s)
        found = {}
        for number, heard in self._heard.items():
            if now - heard > limit and number not in self._remarked:
                self._remarked.add(number)
                longest = format_duration(self._longest_s, rounded=True)
                usual = f"; until now {longest} was the longest silence" if self._longest_s else ""
                silence = format_duration(now - heard, rounded=True)
                found[number] = f"has reported nothing for {silence}{usual}"
        return found

    def timed_out(self) -> list[int]:
        """Trials that have run for too long, each once."""
        if self.timeout_s is None:
            return []
        now = time.monotonic()
        found = [n for n, begun in self._begun.items() if now - begun > self.timeout_s]
        fresh = [number for number in found if number not in self._asked]
        self._asked |= dict.fromkeys(fresh, now)
        return fresh

    def unresponsive(self) -> list[int]:
        """Overdue trials that do not end by themselves; again after each further GRACE_S."""
        now = time.monotonic()
        found = [number for number, asked in self._asked.items() if now - asked > GRACE_S]
        self._asked |= dict.fromkeys(found, now)
        return found
