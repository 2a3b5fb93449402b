"""How many samples there are of each kind, and what follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bearing_search.analysis.operating.rate_bounds import largest_rate, trials_needed
from bearing_search.config import SplitConfig
from bearing_search.data.pixel_labels import unmasked_counts, unmasked_lines
from bearing_search.data.samples import Sample
from bearing_search.data.split import num_folds
from bearing_search.data_checks.findings import Finding, Severity
from bearing_search.errors import DataError

CLAIMED_RATE = 0.02
"""The rate of overkill and of missed defects that a line is commonly asked to show."""

FEW_NORMALS = 10
"""Below it, a decoder has hardly seen what normal is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One part in numbers. Groups are physical things, of which there may be several views."""

    part: str
    levels: int
    train_normal: int
    train_normal_groups: int
    train_anomalous: int
    train_anomalous_groups: int
    test_normal: int
    test_normal_groups: int
    test_anomalous: int
    test_anomalous_groups: int
    train_unmasked: int
    """Anomalous samples without a mask."""

    test_unmasked: int
    folds: int
    """0: the part cannot be validated."""


def count_part(samples: Sequence[Sample], config: SplitConfig) -> tuple[Counts, list[Finding]]:
    """Count one part, and say what its numbers allow.

    Args:
        samples: of one part, both splits.
        config: how train is divided.
    """
    train = [sample for sample in samples if sample.split == "train"]
    test = [sample for sample in samples if sample.split == "test"]
    part = samples[0].part
    folds, findings = _folds(part, train, config)
    counts = Counts(
        part=part,
        levels=samples[0].num_levels,
        train_normal=_count(train, is_anomalous=False),
        train_normal_groups=_groups(train, is_anomalous=False),
        train_anomalous=_count(train, is_anomalous=True),
        train_anomalous_groups=_groups(train, is_anomalous=True),
        test_normal=_count(test, is_anomalous=False),
        test_normal_groups=_groups(test, is_anomalous=False),
        test_anomalous=_count(test, is_anomalous=True),
        test_anomalous_groups=_groups(test, is_anomalous=True),
        train_unmasked=sum(sample.is_unmasked for sample in train),
        test_unmasked=sum(sample.is_unmasked for sample in test),
        folds=folds,
    )
    return counts, [*findings, *_unmasked(samples), *_train(counts), *_test(counts)]


def _unmasked(samples: Sequence[Sample]) -> Iterator[Finding]:
    """A warning where masks are missing among others, a note where there are none at all."""
    counts = unmasked_counts(samples)
    is_mixed = any(one.unmasked < one.anomalous for one in counts) or any(
        sample.is_anomalous and sample.mask_files for sample in samples
    )
    for text in unmasked_lines(samples):
        yield Finding(
            severity="warning" if is_mixed else "note",
            kind="unmasked",
            part=samples[0].part,
            text=text,
            advice="Draw them where pixels should be judged",
            samples=tuple(sample.title for sample in samples if sample.is_unmasked),
        )


def _folds(part: str, train: Sequence[Sample], config: SplitConfig) -> tuple[int, list[Finding]]:
    if not train:
        return 0, [_finding("problem", part, f"{part}: has no training sample", "Add some")]
    try:
        return num_folds(train, config), []
    except DataError as error:
        return 0, [_finding("problem", part, str(error), "")]


def _train(counts: Counts) -> Iterator[Finding]:
    part = counts.part
    if counts.train_normal and counts.train_normal < FEW_NORMALS:
        yield _finding(
            "warning",
            part,
            f"{part}: {counts.train_normal} normal training samples: hardly enough to learn what "
            "normal is",
            "Add normal samples; they need no mask",
        )
    if not counts.folds:
        return
    groups = counts.train_anomalous_groups
    most = min(groups, counts.train_normal_groups)
    if not groups:
        yield _finding(
            "note",
            part,
            f"{part}: no anomalous training sample: defects are drawn, so that scores of the "
            "search rank settings and are no detection rates",
            "A few real defects in train, with masks, make the search better than any setting",
        )
        return
    each = groups / counts.folds
    limits = _with_groups(counts.train_anomalous, groups, "anomalous training sample")
    if most < groups:
        normal = _with_groups(counts.train_normal, counts.train_normal_groups, "normal one")
        limits += f" but {normal}"
    fewest = f"{each:.0f}" if each == round(each) else f"{int(each)} or {int(each) + 1}"
    yield _finding(
        "note",
        part,
        f"{part}: {limits}: {most} folds at most; {counts.folds} are made, each judged by "
        f"{fewest} of the anomalous ones",
        "More defects in train, less noise in the search" if groups < 2 * counts.folds else "",
    )


def _test(counts: Counts) -> Iterator[Finding]:
    part = counts.part
    if not counts.test_normal and not counts.test_anomalous:
        yield _finding(
            "note", part, f"{part}: has no test sample: `evaluate` will refuse it", "Add a test set"
        )
        return
    needed = trials_needed(CLAIMED_RATE)
    for groups, found, word, event, consequence in (
        (counts.test_normal_groups, counts.test_normal, "normal", "false alarms", "overkill"),
        (
            counts.test_anomalous_groups,
            counts.test_anomalous,
            "anomalous sample",
            "misses",
            "of the defects to be missed",
        ),
    ):
        if not groups:
            yield _finding(
                "warning",
                part,
                f"{part}: test has no {word}: no metric of whole images can be computed",
                "",
            )
        elif groups < needed:
            yield _finding(
                "note",
                part,
                f"{part}: test has {_with_groups(found, groups, word)}: zero {event} still allows "
                f"{100 * largest_rate(groups):.0f} % {consequence}; {needed} needed to claim "
                f"{100 * CLAIMED_RATE:.0f} %",
                "",
            )


def _with_groups(samples: int, groups: int, word: str) -> str:
    plural = f"{samples} {word}{'s' * (samples != 1)}"
    return plural if groups == samples else f"{plural} of {groups} thing{'s' * (groups != 1)}"


def _finding(severity: Severity, part: str, text: str, advice: str) -> Finding:
    return Finding(severity=severity, kind="count", part=part, text=text, advice=advice)


def _count(samples: Sequence[Sample], *, is_anomalous: bool) -> int:
    return sum(sample.is_anomalous == is_anomalous for sample in samples)


def _groups(samples: Sequence[Sample], *, is_anomalous: bool) -> int:
    return len({s.group for s in samples if s.is_anomalous == is_anomalous})
