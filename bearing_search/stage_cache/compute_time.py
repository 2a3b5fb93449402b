"""Compute time by stage and trial. No torch."""

from collections.abc import Mapping

Seconds = Mapping[str, Mapping[str, float]]
"""Stage -> trial that computed it -> seconds."""


def merged(*several: Seconds) -> dict[str, dict[str, float]]:
    """Sum of several, with stages in order of appearance."""
    total: dict[str, dict[str, float]] = {}
    for one in several:
        for stage, spent in one.items():
            here = total.setdefault(stage, {})
            for who, seconds in spent.items():
                here[who] = here.get(who, 0.0) + seconds
    return total


def reused_stages(seconds: Seconds, user: str) -> tuple[str, ...]:
    """Stages that other trials computed, at least in part."""
    return tuple(stage for stage, spent in seconds.items() if set(spent) - {user})


def own_seconds(seconds: Seconds, user: str) -> float:
    """Seconds that a trial computed itself."""
    return sum(spent.get(user, 0.0) for spent in seconds.values())


def others_seconds(seconds: Seconds, user: str) -> float:
    """Seconds that a trial saved by reusing other trials' stages."""
    return sum(s for spent in seconds.values() for who, s in spent.items() if who != user)
