"""Sentences about scores, no stronger than the data supports."""

import math
from pathlib import Path

from bearing_search.analysis.choice import CHEAPER, Saving
from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.operating.rate_bounds import largest_rate, trials_needed
from bearing_search.analysis.postprocess_search import NestedSelection, PostprocessTuning
from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.analysis.selection import Selection
from bearing_search.trial_history.held_out_defects import (
    drawn_parts,
    drawn_text,
    why_drawn_otherwise,
)
from bearing_search.trial_history.records import trial_config

_CLAIM = 0.02
"""Rate of false alarms, or of missed defects, that reports use as an example."""

_NAMED_TIES = 8
_NOTEWORTHY = 1.1
"""Ratio from which the other price of a saving is named."""


def interval_text(interval: Interval, *, signed: bool = False) -> str:
    """`0.8611 [0.790, 0.912]`, or `+0.0611 [-0.010, +0.112]`."""
    sign = "+" if signed else ""
    if math.isnan(interval.low):
        return f"{interval.value:{sign}.4f} [too few groups]"
    return f"{interval.value:{sign}.4f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def conclusions(selection: Selection) -> list[str]:
    """Sentences about what the data shows, what it does not show, and its limits."""
    return [
        *_price_lines(selection),
        _tie_text(selection),
        *(_default_text(selection, number, gain) for number, gain in selection.gains.items()),
        _seed_text(selection),
        *(support_text(part, *groups) for part, groups in selection.groups.items()),
    ]


def micro_batch_lines(selection: Selection) -> list[str]:
    """The trials that had to split their batches to fit on the device, as a sentence."""
    found = [
        f"trial {trial.number} ({trial.micro_batch:.0f})"
        for entry in selection.entries
        for trial in entry.trials
        if trial.micro_batch is not None
    ]
    if not found:
        return []
    return [
        "The device had no room for whole batches, so gradients were accumulated over smaller "
        f"ones: {', '.join(found)}, with their size in brackets. The effective batch size is still "
        "the config's; scores differ by rounding, and with dropout as by another seed."
    ]


def drawn_defect_lines(selection: Selection) -> list[str]:
    """Which scores rest on drawn defects, and which settings are not comparable for it."""
    parts = sorted({part for entry in selection.entries for part in entry.defects.parts})
    if not parts:
        return []
    sizes = dict.fromkeys(size for entry in selection.entries for size in entry.defects.sizes)
    how = f" ({'; '.join(sizes)})" if sizes else ""
    lines = [
        f"The held-out defects of {', '.join(parts)} are synthetic{how}, since train has none: "
        "these scores rank settings on drawn defects, but are not detection rates."
    ]
    others = [entry for entry in selection.entries if not entry.is_comparable]
    return lines + ([_refusal(selection.entries[0], others)] if others else [])


def chosen_on_lines(trial: Path) -> list[str]:
    """That a trial to be scored on test was chosen on drawn defects, if it was."""
    parts = drawn_parts(trial)
    if not parts:
        return []
    return [
        f"The setting, its post-processing and its thresholds were chosen{drawn_text(parts)}; the "
        "scores below are on the real ones of test."
    ]


def support_text(part: str, normal: int, anomalous: int) -> str:
    """The error rates that the numbers of groups cannot rule out, even without any error."""
    return (
        f"{part}: with {normal} normal groups, even no false alarm would allow a rate of up to "
        f"{largest_rate(normal):.0%}; with {anomalous} anomalous ones, even no miss would allow "
        f"{largest_rate(anomalous):.0%}. To claim {_CLAIM:.0%} takes {trials_needed(_CLAIM)} "
        "groups of a kind without an error."
    )


def postprocess_lines(tuning: PostprocessTuning) -> list[str]:
    """The gain from post-processing without retraining, as a Markdown table."""
    return [
        "Post-processing tried on the stored distances; each choice is judged on a fold that it "
        "was not made on, and used only if its gain is significant:",
        "",
        "| | tried | best | gain on folds left out | used |",
        "| --- | --- | --- | --- | --- |",
        _postprocess_row("maps", tuning.maps),
        _postprocess_row("image score", tuning.image_score),
    ]


def saved_lines(selection: Selection) -> list[str]:
    """The compute time that sharing stages between trials saved, if any, as a sentence."""
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
    used = "yes" if choice.is_shown else "as trained: no significant gain"
    gain = f"{choice.metric} {interval_text(choice.gain, signed=True)}"
    return f"| {what} | {choice.tried} | {best} | {gain} | {used} |"


def _tie_text(selection: Selection) -> str:
    others = [entry for entry in selection.tied if entry is not selection.chosen]
    rivals = [entry for entry in selection.entries if entry.judged.is_feasible]
    total = sum(entry.is_comparable for entry in rivals)
    if selection.chosen is None:
        return f"All {len(selection.entries)} settings miss a constraint: none is recommended."
    name = _capital(selection.chosen.title)
    if total == 1 and len(rivals) == 1:
        return f"{name} is the only setting so far."
    kept = " that satisfy the constraints" if len(rivals) < len(selection.entries) else ""
    kept += " that are comparable" if total < len(rivals) else ""
    on = selection.chosen.defects.text
    if total == 1:
        return f"{name} is the only one of {len(rivals)} settings that can be judged."
    if not others:
        return (
            f"{name} is better than each of the other {total - 1} settings{kept} (95 % "
            f"confidence){on}."
        )
    names = ", ".join(entry.title.removeprefix("trial ") for entry in others[:_NAMED_TIES])
    more = f" and {len(others) - _NAMED_TIES} more" if len(others) > _NAMED_TIES else ""
    return (
        f"{len(others) + 1} of {total} settings{kept} cannot be distinguished from the best on "
        f"this data{on and ',' + on}: {selection.chosen.title} and trial{'s' * (len(others) > 1)} "
        f"{names}{more}."
    )


def _price_lines(selection: Selection) -> list[str]:
    """Why the setting is used, and what the choice costs, in one sentence."""
    chosen, best = selection.chosen, selection.best
    if chosen is None or len(selection.tied) == 1:
        return []
    if selection.saving is not None:
        return [
            f"{_capital(chosen.title)} is used: within the noise of the best ({best.title}, "
            f"{best.value.value:.3f}) and {saving_text(selection.saving)}."
        ]
    why = (
        f"no setting tied with it is {CHEAPER:g} times cheaper in use (work per sample, or memory)"
        if chosen.use is not None
        else "what it costs to use is not known, so it was compared with no cheaper one"
    )
    return [f"{_capital(chosen.title)} is used: it has the highest score, and {why}."]


def saving_text(saving: Saving) -> str:
    """`2.3 times cheaper per sample, with 1.4 times the memory`."""
    work, memory = saving.work, saving.memory
    cheaper = [f"{work:.1f} times cheaper per sample"] if work >= CHEAPER else []
    cheaper += [f"{memory:.1f} times smaller in memory"] if memory >= CHEAPER else []
    dearer = f", with {1 / work:.1f} times the work" if work < 1 / _NOTEWORTHY else ""
    dearer += f", with {1 / memory:.1f} times the memory" if memory < 1 / _NOTEWORTHY else ""
    return " and ".join(cheaper) + dearer


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]


def _default_text(selection: Selection, number: int, gain: Interval) -> str:
    default = selection.entries[number]
    if number == selection.winner:
        return f"{_capital(default.title)} is the default: no setting is significantly better."
    said = f"{interval_text(gain, signed=True)}, simultaneous for {len(selection.entries)} settings"
    said += default.defects.text
    assert selection.chosen is not None, "gains are those of the chosen setting"
    name = _capital(selection.chosen.title)
    if gain.low > 0:
        return f"{name} is significantly better than the default ({default.title}), by {said}."
    return (
        f"{name} is not significantly better than the default ({default.title}); the difference "
        f"is {said}."
    )


def _seed_text(selection: Selection) -> str:
    if math.isnan(selection.seed_deviation):
        return (
            "No setting was run under a second seed: the variance between trainings is unknown "
            "(`run --audit` measures it)."
        )
    repeats = selection.repeated_runs
    return (
        f"The standard deviation between seeds of a setting is {selection.seed_deviation:.4f} "
        f"({repeats} repeated run{'s' * (repeats != 1)}); all intervals include it."
    )


def _refusal(first: RankedSetting, others: list[RankedSetting]) -> str:
    ours = first.defects, trial_config(first.folder, first.number)
    reasons = dict.fromkeys(
        reason
        for other in others
        for reason in why_drawn_otherwise(
            ours, (other.defects, trial_config(other.folder, other.number))
        )
    )
    names = ", ".join(entry.title.removeprefix("trial ") for entry in others[:_NAMED_TIES])
    more = f" and {len(others) - _NAMED_TIES} more" if len(others) > _NAMED_TIES else ""
    return (
        f"Not comparable: trial {names}{more}; other defects were drawn there "
        f"({'; '.join(reasons)}). None of them is called better or worse."
    )
