"""The rule that divides a data set which does not divide itself."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bearing_search.data.importing.raw_sample import RawSample
from bearing_search.data.importing.test_share import with_splits


def raw(name: str, defect: str = "", group: str = "", part: str = "OD") -> RawSample:
    return RawSample(
        part=part, name=name, defect=defect, group=group, level_files=(Path(f"{name}.png"),)
    )


SAMPLES = [
    *(raw(f"n{number}") for number in range(50)),
    *(raw(f"d{number}", "dent") for number in range(20)),
    *(raw(f"s{number}", "scratch") for number in range(7)),
]


@pytest.mark.parametrize("share", [0.2, 0.3, 0.5, 0.9])
def test_each_kind_has_its_share_give_or_take_one(share):
    test = Counter(s.defect for s in with_splits(SAMPLES, share) if s.split == "test")
    for kind, count in Counter(s.defect for s in SAMPLES).items():
        assert abs(test[kind] - share * count) <= 1


def test_the_order_of_files_does_not_matter():
    def sides(samples):
        return {sample.name: sample.split for sample in with_splits(samples, 0.3)}

    assert sides(SAMPLES) == sides(SAMPLES[::-1])


def test_groups_stay_whole_and_parts_are_divided_on_their_own():
    samples = [
        raw(f"{part}{number}", "dent" if number % 5 == 0 else "", f"ring{number // 2}", part)
        for part in ("OD", "LC")
        for number in range(40)
    ]
    sides: dict[tuple[str, str], str] = {}
    for sample in with_splits(samples, 0.3):
        assert sides.setdefault((sample.part, sample.group), sample.split) == sample.split
    for part in ("OD", "LC"):
        assert sum(side == "test" for (of, _), side in sides.items() if of == part) == 6  # of 20


def test_samples_with_and_without_a_mask_have_their_share_each():
    samples = [
        replace(one, mask_files=(Path("m.png"),)) if number % 3 == 0 else one
        for number, one in enumerate(raw(f"d{number}", "dent") for number in range(60))
    ]
    test = [one for one in with_splits(samples, 0.3) if one.split == "test"]
    assert len(test) == 18
    assert abs(sum(bool(one.mask_files) for one in test) - 6) <= 1
