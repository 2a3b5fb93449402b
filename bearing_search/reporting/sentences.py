"""Sentences about scores, as strong as the data allows."""

import math

from bearing_search.analysis.intervals import Interval, largest_rate, trials_needed
from bearing_search.analysis.postprocess_search import NestedSelection, PostprocessTuning
from bearing_search.analysis.selection import Selection

_CLAIM = 0.02
"""Rate of false alarms, or of missed defects, that a report names as a goal."""

_NAMED_TIES = 8


def interval_text(interval: Interval, *, signed: bool = False) -> str:
    """`0.8611 [0.790, 0.912]`, or `+0.0611 [-0.010, +0.112]`."""
    sign = "+" if signed else ""
    if math.isnan(interval.low):
        return f"{interval.value:{sign}.4f} [too few groups]"
    return f"{interval.value:{sign}.4f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def conclusions(selection: Selection) -> list[str]:
    """What the data shows of the settings, what it does not, and how far it reaches."""
    return [
        _tie_text(selection),
        *(_default_text(selection, number, gain) for number, gain in selection.gains.items()),
        _seed_text(selection),
        *(support_text(part, *groups) for part, groups in selection.groups.items()),
    ]


def micro_batch_lines(selection: Selection) -> list[str]:
    """Which trials' batches had no room on the device."""
    found = [
        f"trial {trial.number} ({trial.micro_batch:.0f})"
        for entry in selection.entries
        for trial in entry.trials
        if trial.micro_batch is not None
    ]
    if not found:
        return []
    return [
        "The device had no room for whole batches, so that gradients of smaller ones were added "
        f"up: {', '.join(found)}, samples at once in brackets. The batch that a step is taken by "
        "is the config's; scores move as by rounding, of detectors with dropout as by another seed."
    ]


def support_text(part: str, normal: int, anomalous: int) -> str:
    """What so few samples cannot show, however well they score."""
    return (
        f"{part}: {normal} normal groups: no false alarm at all would still allow a rate of "
        f"{largest_rate(normal):.0%}; {anomalous} anomalous ones: none missed would still allow "
        f"{largest_rate(anomalous):.0%}. To claim {_CLAIM:.0%} takes {trials_needed(_CLAIM)} of a "
        "kind without one."
    )


def postprocess_lines(tuning: PostprocessTuning) -> list[str]:
    """What post-processing could gain without another training, as a table."""
    return [
        "Post-processing tried on the stored distances; each choice is judged on the fold that it "
        "was not made on, and used only where its gain is shown:",
        "",
        "| | tried | best | gain on folds left out | used |",
        "| --- | --- | --- | --- | --- |",
        _postprocess_row("maps", tuning.maps),
        _postprocess_row("image score", tuning.image_score),
    ]


def saved_lines(selection: Selection) -> list[str]:
    """What sharing stages between trials has saved, if it has."""
    trials = [trial for entry in selection.entries for trial in entry.trials]
    computed, saved = (
        sum(getattr(trial, name) or 0.0 for trial in trials) / 60
        for name in ("computed_s", "saved_s")
    )
    if not saved:
        return []
    return [
        f"Stages took {computed:.1f} minutes of compute; sharing them between trials saved "
        f"{saved:.1f} more."
    ]


def _postprocess_row(what: str, choice: NestedSelection) -> str:
    best = choice.best.difference(choice.before) or "as trained"
    used = "yes" if choice.is_shown else "as trained: no gain is shown"
    gain = f"{choice.metric} {interval_text(choice.gain, signed=True)}"
    return f"| {what} | {choice.tried} | {best} | {gain} | {used} |"


def _tie_text(selection: Selection) -> str:
    others = [entry for entry in selection.tied if entry is not selection.chosen]
    total = sum(entry.judged.is_feasible for entry in selection.entries)
    if selection.chosen is None:
        return f"Each of the {len(selection.entries)} settings misses a constraint: none is named."
    if total == 1:
        return "It has no rival yet."
    kept = " that keep the constraints" if total < len(selection.entries) else ""
    if not others:
        return f"It is better than each of the other {total - 1} settings{kept} (95 %)."
    names = ", ".join(entry.title.removeprefix("trial ") for entry in others[:_NAMED_TIES])
    more = f" and {len(others) - _NAMED_TIES} more" if len(others) > _NAMED_TIES else ""
    highest = (
        "it has the highest score"
        if selection.chosen is selection.best
        else f"the highest score has {selection.best.title}, {interval_text(selection.best.value)}"
    )
    return (
        f"{len(others) + 1} of {total} settings{kept} cannot be told from the best on this data; "
        f"of these it is the cheapest (within a fifth, the highest scoring); {highest}. "
        f"Tied with it: {names}{more}."
    )


def _default_text(selection: Selection, number: int, gain: Interval) -> str:
    default = selection.entries[number]
    if number == selection.winner:
        return f"It is the default setting ({default.title}): nothing better is shown."
    said = f"{interval_text(gain, signed=True)}, for all {len(selection.entries)} settings at once"
    if gain.low > 0:
        return f"Better than the default ({default.title}): shown, by {said}."
    return f"Better than the default ({default.title}): not shown; the difference is {said}."


def _seed_text(selection: Selection) -> str:
    if math.isnan(selection.seed_deviation):
        return (
            "No setting was run under a second seed: what the luck of one training adds is unknown "
            "(`run --audit`)."
        )
    repeats = selection.repeated_runs
    return (
        f"Runs of one setting under several seeds scatter by {selection.seed_deviation:.4f} "
        f"({repeats} repeated run{'s' * (repeats != 1)}); every interval holds that too."
    )
