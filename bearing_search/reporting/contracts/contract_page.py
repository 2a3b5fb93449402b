"""A threshold by contract as text: the setting, those beside it, what is proven and what is not."""

from collections.abc import Sequence

from bearing_search.analysis.contracts.contract import KINDS, OTHER, Contract
from bearing_search.analysis.contracts.judged_part import JudgedPart, WrongVerdict
from bearing_search.analysis.contracts.p_values import worst_false_alarm_rate
from bearing_search.analysis.contracts.settings import ErrorRate, Setting
from bearing_search.reporting.contracts.contract_json import Source
from bearing_search.text.lists import first_of
from bearing_search.text.shares import bound_text, share_text

_ALPHAS = (0.01, 0.05, 0.1)
"""Rates of false alarms for which p-values are shown."""

_NAMED = 8
"""Wrong verdicts of each kind that are named; threshold.json has all."""


def contract_page(source: Source, parts: Sequence[JudgedPart], *, shows_p_values: bool) -> str:
    """The page that `threshold` prints, as Markdown.

    Args:
        source: what the thresholds belong to.
        parts: the parts, of which each has a section.
        shows_p_values: whether each section ends with conformal p-values.
    """
    lines = [f"# {source.sweep}: thresholds of trial {source.trial}", ""]
    lines += [
        "From held-out folds of train; test was not opened. What is proven holds for parts from "
        "the same production, camera and light, and for a setting that was fixed beforehand"
        + (
            f"; this one was chosen among {source.trials_compared} trials by the same samples, "
            "which flatters it"
            if source.trials_compared > 1
            else ""
        )
        + ". How often promises are broken, then and by a detector that is trained anew, was "
        "measured: docs/threshold.md.",
        "",
    ]
    for judged in parts:
        lines += [*_section(judged), *(_p_value_lines(judged) if shows_p_values else [])]
    return "\n".join(lines)


def contract_text(contract: Contract) -> str:
    """What is asked, in words."""
    if contract.promised is not None:
        side, rate = contract.promised
        what = "missed" if side == "miss" else "overkill"
        asked = (
            f"at most {share_text(rate)} {what}, at {share_text(contract.confidence)} confidence"
        )
    else:
        costs = contract.costs
        assert costs is not None
        asked = f"lowest cost, {costs.miss:g} a miss and {costs.overkill:g} an overkill"
    if contract.reinspect:
        asked += f"; up to {share_text(contract.reinspect)} of the normal groups inspected again"
    return asked


def _section(judged: JudgedPart) -> list[str]:
    decision = judged.decision
    chosen, contract = decision.chosen, decision.contract
    lines = [
        f"## {judged.part}",
        "",
        f"Asked: {contract_text(contract)}; {contract.views.meaning}.",
        "",
    ]
    has_band = bool(contract.reinspect)
    columns = [
        "setting",
        *(["re-inspect from"] if has_band else []),
        "NG from",
        "missed",
        "proven at most",
        "overkill",
        "proven at most",
        *(["normal in the band", "defective in it"] if has_band else []),
    ]
    lines += [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for name, setting in (
        ("next tighter", decision.tighter),
        ("**chosen**", chosen),
        ("next looser", decision.looser),
    ):
        if setting is not None:
            lines.append(f"| {' | '.join(_cells(name, setting, has_band=has_band))} |")
    return [*lines, "", *(f"* {one}" for one in _sentences(judged)), ""]


def _cells(name: str, setting: Setting, *, has_band: bool) -> list[str]:
    band = setting.normal_in_band
    return [
        name,
        *([f"{setting.reinspect_from:.4g}"] if has_band else []),
        f"{setting.ng_from:.4g}",
        _counted(setting.miss),
        bound_text(setting.miss.bound),
        _counted(setting.overkill),
        bound_text(setting.overkill.bound),
        *([_counted(band), str(setting.defective_in_band)] if has_band else []),
    ]


def _counted(rate: ErrorRate) -> str:
    return (
        f"{rate.errors} of {rate.groups} ({share_text(rate.rate)})" if rate.groups else "no group"
    )


def _sentences(judged: JudgedPart) -> list[str]:
    found = [_unit_sentence(judged), *_proof_sentences(judged)]
    if judged.has_drawn_defects:
        found.append(
            "Its held-out defects are drawn: what is missed of them says nothing of real ones."
        )
    if judged.no_roi:
        found.append(
            f"{judged.no_roi} held-out samples have no region of interest, so no score and no "
            "verdict."
        )
    for is_anomalous, title in ((True, "Missed"), (False, "Overkill")):
        wrong = [one for one in judged.wrong if one.is_anomalous == is_anomalous]
        if wrong:
            found.append(f"{title}: {first_of([_named(one) for one in wrong], _NAMED)}.")
    return found


def _named(one: WrongVerdict) -> str:
    titles = [title.split("/", 1)[-1] for _, title in one.samples]
    return f"{' + '.join(titles)} ({one.score:.4g})"


def _unit_sentence(judged: JudgedPart) -> str:
    chosen = judged.decision.chosen
    if judged.unit == "score":
        return (
            "Thresholds are scores as the folds' models give them: too few unseen normal samples "
            "per fold (or none that differ) to standardise them, so they may not fit another model."
        )
    scores = [scale.score_of(chosen.ng_from) for scale in judged.scales.values()]
    return (
        "Thresholds count deviations of a model's unseen normal scores above their mean; NG from "
        f"{min(scores):.4g} to {max(scores):.4g} as scores of the folds' models."
    )


def _proof_sentences(judged: JudgedPart) -> list[str]:
    decision = judged.decision
    contract = decision.contract
    if contract.promised is None:
        assert decision.cost is not None
        assert decision.cost_bound is not None
        assert decision.defect_share is not None
        assumed = (
            "as in train" if contract.costs and contract.costs.defects is None else "as you said"
        )
        return [
            f"Expected cost {decision.cost:.4g} a group, proven at most {decision.cost_bound:.4g}, "
            f"with {share_text(decision.defect_share)} of the groups defective ({assumed}). The "
            "threshold was chosen by these very groups, so the bounds hold wherever it lies: they "
            "are wider than a promise's."
        ]
    side, rate = contract.promised
    other = OTHER[side]
    spare = (
        f"The promise allows {decision.allowed} of {decision.chosen.of(side).groups} to be wrong."
    )
    if not decision.chosen.of(other).groups:
        return [spare, f"No held-out {KINDS[other]} group: nothing is known of the other error."]
    if decision.other_needs:
        return [
            spare,
            f"To prove at most {share_text(rate)} of the other error as well takes "
            f"{decision.other_needs} more {KINDS[other]} groups, none of them wrong.",
        ]
    return [spare, f"At most {share_text(rate)} of the other error is proven as well."]


def _p_value_lines(judged: JudgedPart) -> list[str]:
    is_anomalous = judged.groups.is_anomalous
    normal, defective = int((~is_anomalous).sum()), int(is_anomalous.sum())
    folds = max(len(judged.scales), 2)
    lines = [
        f"Conformal p-values against {normal} held-out normal groups (smallest possible "
        f"{1 / (normal + 1):.3g}):",
        "",
        "| flagged at p up to | normal | defective | proven limit of false alarms |",
        "| --- | --- | --- | --- |",
    ]
    for alpha in _ALPHAS:
        flagged = judged.p_values <= alpha
        limit = worst_false_alarm_rate(alpha, normal, folds)
        lines.append(
            f"| {alpha:g} | {int((flagged & ~is_anomalous).sum())} of {normal} | "
            f"{int((flagged & is_anomalous).sum())} of {defective} | {bound_text(limit)} |"
        )
    return [
        *lines,
        "",
        "A new normal part has p at most a with a probability of a, averaged over trainings, if "
        "models' scores differ in offset and scale only; if every fold's model scores it, the "
        "limit holds whatever the models do (Barber et al. 2021). Neither says that a defect has a "
        "low p, nor holds under new light, another camera or another material, nor for the most "
        "unusual of many parts.",
        "",
    ]
