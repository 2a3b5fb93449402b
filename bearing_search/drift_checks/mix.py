"""Mix: the share of NG, and whether scores fall into two groups."""

import numpy as np

from bearing_search.drift_checks import statistics
from bearing_search.drift_checks.findings import Finding, Measure, PartComparison, State
from bearing_search.drift_checks.sentences import counted
from bearing_search.prediction.results import JUDGED
from bearing_search.text.shares import share_text


def mix_finding(part: PartComparison, *, others_changed: bool) -> Finding:
    """Whether there are more or fewer NG than usual.

    Args:
        part: to compare.
        others_changed: whether light, fixture or model has changed, which moves the share, too.
    """
    judged = [one for one in part.now if one.word in JUDGED and one.score is not None]
    num_ng = sum(one.word == "NG" for one in judged)
    share = statistics.rate(num_ng, len(judged), part.confidence)
    before = [one.score for one in part.scored_before if one.score is not None]
    false_alarms = sum(score >= part.thresholds.ng for score in before)
    measure = Measure(
        name="ng",
        unit="share of NG",
        bounds=share,
        num_now=len(judged),
        num_training=len(before),
        training=(false_alarms / len(before),) if before else (),
    )
    if not judged:
        return Finding(cause="mix", state="unknown", sentence="no picture was judged")
    sentence = (
        f"{counted(num_ng, len(judged))} NG, {share_text(share.value)} "
        f"[{100 * share.low:.3g}, {100 * share.high:.3g}]"
    )
    state, said, advice = _judged(part, share, (num_ng, len(judged)), (false_alarms, len(before)))
    if others_changed and state == "changed":
        state, advice = "unknown", ""
        said += "; cannot be told from what else has changed"
    groups = statistics.two_groups(np.array([one.score for one in judged], dtype=float))
    if groups is not None:
        said += (
            f"; scores fall into two groups, {len(judged) - groups[0]} around {groups[1]:.3g} and "
            f"{groups[0]} around {groups[2]:.3g}"
        )
    return Finding(
        cause="mix", state=state, sentence=sentence + said, advice=advice, measures=(measure,)
    )


def _judged(
    part: PartComparison, share: statistics.Bounds, now: tuple[int, int], before: tuple[int, int]
) -> tuple[State, str, str]:
    usual = part.usual_ng
    if usual is not None:
        if share.excludes(usual):
            word = "more" if share.low > usual else "fewer"
            said = f", {word} than the usual {share_text(usual)}"
            return "changed", said, "look at the NG parts: more defects, or a new kind of part"
        said = f"; the usual {share_text(usual)} is possible"
        return "same" if share.high - share.low <= max(2 * usual, 0.1) else "unknown", said, ""
    if not before[1]:
        return "unknown", "; the share that is usual is not known (--usual-ng)", ""
    if share.value > before[0] / before[1] and statistics.rates_differ(
        now, before, part.confidence
    ):
        said = f", more than good parts give ({counted(*before)} in training); whether that is "
        return "unknown", said + "more than usual only the line knows (--usual-ng)", ""
    return "same", f", no more than good parts give ({counted(*before)} in training)", ""
