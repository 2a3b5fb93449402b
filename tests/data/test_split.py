from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.config import SplitConfig, TrialConfig
from bearing_search.data.samples import Sample
from bearing_search.data.split import folds_of_parts, make_folds, num_folds
from bearing_search.errors import DataError


def sample(name, group, is_anomalous):
    return Sample(
        part="OD",
        split="train",
        defect="dent" if is_anomalous else "good",
        name=name,
        group=group,
        is_anomalous=is_anomalous,
        level_files=(Path("a.png"),),
    )


def singles(num_normal, num_anomalous):
    return [sample(f"s{i}", f"g{i}", i < num_anomalous) for i in range(num_normal + num_anomalous)]


@given(
    st.integers(2, 5), st.integers(5, 30), st.integers(5, 12), st.integers(0, 3), st.integers(1, 4)
)
def test_groups_never_part_company_and_everybody_is_held_out_once(folds, normal, bad, seed, views):
    samples = [
        sample(f"g{g}v{v}", f"g{g}", g < bad) for g in range(normal + bad) for v in range(views)
    ]
    divided = make_folds(samples, SplitConfig(folds=folds, seed=seed))

    assert sorted(s.name for f in divided for s in f.held_out) == sorted(s.name for s in samples)
    for fold in divided:
        assert not {s.group for s in fold.train} & {s.group for s in fold.held_out}
        assert len(fold.train) + len(fold.held_out) == len(samples)


@pytest.mark.parametrize("seed", range(8))
def test_anomalous_groups_go_where_mixed_ones_have_fewer_anomalous_samples(seed):
    marked = Path("m.png")
    many = [replace(sample(f"p{i}", "many", True), mask_file=marked) for i in range(3)]
    few = [replace(sample("q", "few", True), mask_file=marked)]
    normals = [sample("p3", "many", False), *(sample(f"q{i}", "few", False) for i in range(3))]
    alone = replace(sample("alone", "alone", True), mask_file=marked)
    folds = make_folds([*many, *few, *normals, alone], SplitConfig(folds=2, seed=seed))
    held_out = [{s.group for s in fold.held_out} for fold in folds]
    assert {"few", "alone"} in held_out


@given(st.integers(2, 5), st.integers(5, 30), st.integers(5, 12), st.integers(0, 3))
def test_both_labels_are_spread_evenly(folds, normal, bad, seed):
    divided = make_folds(singles(normal, bad), SplitConfig(folds=folds, seed=seed))
    for wanted in (True, False):
        counts = [sum(s.is_anomalous is wanted for s in f.held_out) for f in divided]
        assert max(counts) - min(counts) <= 1


def test_the_seed_decides():
    def held_out(seed):
        return [
            s.name for s in make_folds(singles(20, 6), SplitConfig(folds=3, seed=seed))[0].held_out
        ]

    assert held_out(0) == held_out(0)
    assert held_out(0) != held_out(1)


def test_too_few_anomalous_groups_are_refused_with_the_largest_number_of_folds():
    with pytest.raises(DataError, match=r"OD: 2 anomalous groups in train, but 3 folds.*at most 2"):
        make_folds(singles(20, 2), SplitConfig(folds=3))
    with pytest.raises(DataError, match=r"1 anomalous group in train.*not possible"):
        make_folds(singles(20, 1), SplitConfig(folds=2))


def test_a_part_without_any_anomalous_sample_is_split_all_the_same():
    divided = make_folds(singles(10, 0), SplitConfig(folds=2))
    assert [len(f.held_out) for f in divided] == [5, 5]


@pytest.mark.parametrize(
    ("normal", "anomalous", "folds"),
    [(20, 2, 2), (20, 4, 4), (20, 6, 5), (3, 6, 3), (20, 0, 3), (2, 0, 2)],
)
def test_without_a_number_the_rarer_groups_decide(normal, anomalous, folds):
    samples = singles(normal, anomalous)
    assert num_folds(samples, SplitConfig()) == folds == len(make_folds(samples, SplitConfig()))


def test_groups_are_counted_not_their_views():
    samples = [sample(f"g{g}v{v}", f"g{g}", g < 3) for g in range(12) for v in range(6)]
    assert num_folds(samples, SplitConfig()) == 3


def test_a_number_wins_over_what_the_groups_would_allow():
    assert num_folds(singles(20, 6), SplitConfig(folds=2)) == 2


def test_a_single_anomalous_group_cannot_be_held_out():
    with pytest.raises(DataError, match=r"1 anomalous group in train.*not possible"):
        num_folds(singles(20, 1), SplitConfig())


def test_parts_that_are_trained_together_have_equally_many_folds():
    train = {"few": singles(20, 2), "many": singles(20, 4)}
    apart = folds_of_parts(train, TrialConfig())
    together = folds_of_parts(train, TrialConfig(scope="multi_part"))
    assert {part: len(folds) for part, folds in apart.items()} == {"few": 2, "many": 4}
    assert {part: len(folds) for part, folds in together.items()} == {"few": 2, "many": 2}


def test_a_part_may_not_have_the_name_of_all_parts_together():
    train = {"all": singles(20, 2)}
    assert len(folds_of_parts(train, TrialConfig())["all"]) == 2
    with pytest.raises(DataError, match=r"a part is named all.*Rename the part"):
        folds_of_parts(train, TrialConfig(scope="multi_part"))


def views(group, normal, anomalous):
    return [sample(f"{group}v{v}", group, v < anomalous) for v in range(normal + anomalous)]


def counts(fold_samples):
    anomalous = sum(s.is_anomalous for s in fold_samples)
    return len(fold_samples) - anomalous, anomalous


def test_groups_that_hold_both_kinds_count_for_both():
    positions = [s for g in "abc" for s in views(g, 10, 6)]
    assert num_folds(positions, SplitConfig()) == 3
    for fold in make_folds(positions, SplitConfig()):
        assert counts(fold.held_out) == (10, 6)
        assert counts(fold.train) == (20, 12)


def test_every_fold_holds_out_both_kinds_where_only_some_groups_have_both():
    # 3 groups with normal samples, 5 with anomalous ones; the mixed are the largest of either
    samples = [*views("a", 4, 4), *views("b", 4, 4), *views("c", 3, 0)]
    samples += [s for g in "def" for s in views(g, 0, 2)]
    for seed in range(20):
        folds = make_folds(samples, SplitConfig(folds=3, seed=seed))
        assert sorted(counts(f.held_out) for f in folds) == [(3, 4), (4, 4), (4, 6)]


def test_a_fold_with_a_mixed_group_gets_fewer_of_the_pure_ones():
    samples = [*views("a", 3, 1), *(s for g in "bcd" for s in views(g, 1, 0)), *views("e", 0, 1)]
    for seed in range(20):
        folds = make_folds(samples, SplitConfig(folds=2, seed=seed))
        assert sorted(counts(f.held_out) for f in folds) == [(3, 1), (3, 1)]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=4, max_size=20))
def test_whatever_the_groups_hold_each_kind_is_held_out_in_every_fold(sizes):
    samples = [s for g, (normal, bad) in enumerate(sizes) for s in views(f"g{g}", normal, bad)]
    normal, bad = (sum(size[kind] > 0 for size in sizes) for kind in (0, 1))
    if min(normal, bad) < 2:
        return
    folds = make_folds(samples, SplitConfig())
    assert len(folds) == min(normal, bad, 5)
    assert sorted(s.name for f in folds for s in f.held_out) == sorted(s.name for s in samples)
    for fold in folds:
        assert min(counts(fold.held_out)) > 0
        assert not {s.group for s in fold.train} & {s.group for s in fold.held_out}


@given(st.integers(2, 4), st.integers(0, 8), st.integers(0, 8), st.integers(0, 3))
def test_defects_with_and_without_masks_are_both_spread(folds, masked, unmasked, seed):
    marked = [replace(one, mask_file=Path("m.png")) for one in singles(0, masked)]
    bare = [sample(f"u{i}", f"u{i}", True) for i in range(unmasked)]
    normal = [sample(f"n{i}", f"n{i}", False) for i in range(8)]
    if masked + unmasked < folds:
        return
    divided = make_folds([*marked, *bare, *normal], SplitConfig(folds=folds, seed=seed))
    for has_mask in (True, False):
        counts = [
            sum(s.is_anomalous and s.is_unmasked is not has_mask for s in fold.held_out)
            for fold in divided
        ]
        assert max(counts) - min(counts) <= 1


def sizes_held_out(sizes, folds, seed):
    samples = [sample("d0", "x", True), sample("d1", "y", True)]
    samples += [s for g, size in enumerate(sizes) for s in views(f"g{g}", size, 0)]
    divided = make_folds(samples, SplitConfig(folds=folds, seed=seed))
    return sorted(counts(fold.held_out)[0] for fold in divided)


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_filled_by_samples_not_by_groups(seed):
    # by number of groups, the fold with the six would get two or three more
    assert sizes_held_out([6, 1, 1, 1, 1, 1, 1], folds=2, seed=seed) == [6, 6]


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_groups_are_dealt_first(seed):
    # dealt last, the five would join two or three single ones
    assert sizes_held_out([1, 1, 5, 1, 1, 1], folds=2, seed=seed) == [5, 5]


@pytest.mark.parametrize("seed", range(5))
def test_a_mixed_group_counts_for_each_kind_with_its_samples_of_that_kind(seed):
    # its five normal samples are no reason to hold all other anomalous ones out elsewhere
    samples = [*views("a", 5, 1), *(s for g in "efghi" for s in views(g, 0, 1)), *views("n", 5, 0)]
    folds = make_folds(samples, SplitConfig(folds=2, seed=seed))
    assert [counts(fold.held_out) for fold in folds] == [(5, 3), (5, 3)]


def test_too_few_samples_are_named_with_their_part_if_there_is_one():
    with pytest.raises(DataError, match="a part: 0 normal groups in train"):
        num_folds([], SplitConfig())
    with pytest.raises(DataError, match="OD: 1 normal group in train"):
        num_folds(singles(1, 0), SplitConfig())
