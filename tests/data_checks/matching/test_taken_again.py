"""Many things photographed again are one finding that names the worst."""

from pathlib import Path

from bearing_search.data.samples import Sample, Split
from bearing_search.data_checks.matching.taken_again import Again, taken_again


def sample(name: str, split: Split = "train", part: str = "lid") -> Sample:
    return Sample(
        part=part,
        split=split,
        defect="good",
        name=name,
        group=name,
        is_anomalous=False,
        level_files=(Path(f"{name}.png"),),
    )


def again(pair: tuple[int, int], agreement: float) -> Again:
    return Again(pair=pair, agreement=agreement, files=("a", "b"), turn_deg=0.0, is_mirrored=False)


def test_the_five_worst_things_are_named_and_the_others_counted():
    samples = [sample(f"s{at:02}") for at in range(14)]
    pairs = {(at, at + 1): again((at, at + 1), 0.3 + at / 100) for at in range(0, 14, 2)}

    (found,) = taken_again(samples, pairs)

    assert (found.severity, found.kind, found.part) == ("warning", "again", "lid")
    assert "7 things photographed again, all in train, in different groups, in 14" in found.text
    assert "; and 2 more" in found.text
    assert [f"s{at:02}" in found.text for at in (12, 4, 2, 0)] == [True, True, False, False]
    assert found.samples[:2] == ("lid/train/good/s12", "lid/train/good/s13")
    assert len(found.samples) == 14


def test_linked_shots_are_one_thing():
    samples = [sample("a"), sample("b"), sample("c")]
    (found,) = taken_again(samples, {(0, 1): again((0, 1), 0.5), (1, 2): again((1, 2), 0.6)})
    assert found.text == (
        "lid/train/good/b and lid/train/good/c and 1 more: one thing photographed again, all in "
        "train, in different groups, 3 in train and 0 in test (agreement 0.60 of 1)"
    )


def test_parts_and_sides_are_told_apart():
    samples = [sample("a", "test"), sample("b"), sample("c"), sample("d")]
    samples += [sample("e", part="cap"), sample("f", part="cap")]
    pairs = {at: again(at, 0.5) for at in ((0, 1), (2, 3), (4, 5))}
    found = list(taken_again(samples, pairs))
    assert [(one.part, "on both sides" in one.text) for one in found] == [
        ("cap", False),
        ("lid", False),
        ("lid", True),
    ]
    assert ["keep it on one side" in one.advice for one in found] == [False, False, True]
