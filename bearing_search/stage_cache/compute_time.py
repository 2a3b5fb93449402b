"""Time of compute: which stage took how long, and whose time it was. No torch."""

from collections.abc import Mapping

Seconds = Mapping[str, Mapping[str, float]]
"""By stage, and by the trial that spent it."""


def merged(*several: Seconds) -> dict[str, dict[str, float]]:
    """All together, stages in the order in which they come."""
    total: dict[str, dict[str, float]] = {}
    for one in several:
        for stage, spent in one.items():
            here = total.setdefault(stage, {})
            for who, seconds in spent.items():
                here[who] = here.get(who, 0.0) + seconds
    return total


def reused_stages(seconds: Seconds, user: str) -> tuple[str, ...]:
    """Stages that other trials have computed, at least in part."""
    return tuple(stage for stage, spent in seconds.items() if set(spent) - {user})


def own_seconds(seconds: Seconds, user: str) -> float:
    """What a trial has computed itself."""
    return sum(spent.get(user, 0.0) for spent in seconds.values())


def others_seconds(seconds: Seconds, user: str) -> float:
    """What a trial did not have to compute."""
    return sum(s for spent in seconds.values() for who, s in spent.items() if who != user)
