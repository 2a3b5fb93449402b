from dataclasses import replace
from pathlib import Path

import pytest

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.samples import Sample
from bearing_search.training.folds.final_plans import deployment_plans, final_plans
from bearing_search.training.folds.fold_plan import unseen_kind_plans, validation_plans


def sample(part, defect, name, group=""):
    return Sample(
        part=part,
        split="train",
        defect=defect,
        name=name,
        group=group or f"{part}-{defect}-{name}",
        is_anomalous=defect != "good",
        level_files=(Path("a.png"),),
    )


def of_part(part, kinds, normals=6, each=2):
    names = [("good", f"n{i}") for i in range(normals)]
    names += [(kind, f"{kind}{i}") for kind in kinds for i in range(each)]
    return [sample(part, defect, name) for defect, name in names]


def kinds(samples):
    return sorted(s.defect for s in samples)


def test_each_kind_is_left_out_once_with_the_normals_of_a_fold():
    train = of_part("LC", ["crack", "dent"])
    crack, dent = unseen_kind_plans(TrialConfig(), train)
    assert (crack.label, dent.label) == ("LC, without crack", "LC, without dent")
    assert (crack.key, dent.key) == ("LC/fold0", "LC/fold1")
    for plan, unseen, known in ((crack, "crack", "dent"), (dent, "dent", "crack")):
        (part,) = plan.parts
        assert kinds(part.train) == sorted([known] * 2 + ["good"] * 4)
        assert kinds(part.held_out) == sorted([unseen] * 2 + ["good"] * 2)
        assert not {s.group for s in part.train} & {s.group for s in part.held_out}
        assert not plan.is_validation
    held_out = [
        s.name for plan in (crack, dent) for s in plan.parts[0].held_out if s.defect == "good"
    ]
    assert len(set(held_out)) == 4  # of two folds


def test_a_group_with_the_kind_leaves_train_whole():
    train = [*of_part("LC", ["crack", "dent"]), sample("LC", "good", "x", group="LC-crack-crack0")]
    train.append(sample("LC", "dent", "y", group="LC-crack-crack0"))
    (part,) = unseen_kind_plans(TrialConfig(), train)[0].parts
    assert "x" in {s.name for s in part.held_out}
    assert "y" not in {s.name for s in (*part.train, *part.held_out)}  # neither learned nor scored


def test_a_part_without_the_kind_is_not_trained_unless_parts_share_a_model():
    train = [*of_part("LC", ["crack"]), *of_part("OD", ["dent"])]
    apart = unseen_kind_plans(TrialConfig(), train)
    assert [plan.label for plan in apart] == ["LC, without crack", "OD, without dent"]
    together = unseen_kind_plans(TrialConfig(scope="multi_part"), train)
    assert [[part.part for part in plan.parts] for plan in together] == [["LC", "OD"]] * 2
    assert together[0].label == "all parts, without crack"
    first, second = together[0].parts
    assert set(kinds(first.train)) == {"good"}
    assert set(kinds(second.train)) == {"dent", "good"}
    assert set(kinds(second.held_out)) == {"good"}


def test_normals_set_aside_to_calibrate_are_scored_with_test_and_not_trained_on():
    train = of_part("LC", ["dent"], normals=8)
    test = [replace(s, split="test", group=f"t{i}") for i, s in enumerate(of_part("LC", ["dent"]))]
    data = DataSet(root=Path(), all_samples=(*train, *test))
    (plan,) = final_plans(TrialConfig(), data, calibrates=True)
    (part,) = plan.parts
    assert kinds(part.train) == ["dent", "dent", *["good"] * 4]
    aside = [s for s in part.held_out if s.split == "train"]
    assert kinds(aside) == ["good"] * 4
    assert [s for s in part.held_out if s.split == "test"] == test
    assert {s.name for s in aside} & {s.name for s in part.train} == set()
    (plan,) = final_plans(TrialConfig(), data)
    assert plan.parts[0].train == tuple(train)
    assert plan.parts[0].held_out == tuple(test)


def test_too_few_normals_to_calibrate_by_are_all_trained_on():
    data = DataSet(root=Path(), all_samples=tuple(of_part("LC", ["dent"], normals=7)))
    (plan,) = final_plans(TrialConfig(), data, calibrates=True)
    assert plan.parts[0].train == data.all_samples
    assert plan.parts[0].held_out == ()


@pytest.mark.parametrize("scope", ["per_part", "multi_part"])
def test_a_deployment_trains_as_a_calibrated_final_training_and_holds_no_test_sample(scope):
    train = [*of_part("OD", ["dent"], normals=8), *of_part("LC", ["dent"], normals=7)]
    test = [replace(s, split="test", group=f"t{i}") for i, s in enumerate(of_part("LC", ["dent"]))]
    data = DataSet(root=Path(), all_samples=(*train, *test))
    config = TrialConfig(scope=scope)
    final = final_plans(config, data, calibrates=True)
    plans = deployment_plans(config, train)
    assert [plan.key for plan in plans] == [plan.key for plan in final]
    assert [plan.train for plan in plans] == [plan.train for plan in final]
    lc, od = (part for plan in plans for part in plan.parts)
    assert kinds(od.held_out) == ["good"] * 4
    assert not set(od.held_out) & set(od.train)
    assert kinds(lc.held_out) == ["good"] * 7  # too few to set any aside
    assert set(lc.held_out) < set(lc.train)


def test_a_stress_set_is_made_of_normal_test_samples_and_changes_nothing_else():
    train = of_part("LC", ["dent"], normals=8)
    test = [replace(s, split="test", group=f"t{i}") for i, s in enumerate(of_part("LC", ["dent"]))]
    data = DataSet(root=Path(), all_samples=(*train, *test))
    for calibrates in (False, True):
        (plain,) = final_plans(TrialConfig(), data, calibrates=calibrates)
        (plan,) = final_plans(TrialConfig(), data, calibrates=calibrates, stresses=True)
        (part,) = plan.parts
        assert plain.parts[0].stressed == ()
        assert replace(plan, parts=(replace(part, stressed=()),)) == plain
        assert set(part.stressed) == {s for s in test if not s.is_anomalous}


def test_no_validation_sees_a_stress_set():
    train = of_part("LC", ["dent"], normals=8)
    plans = validation_plans(TrialConfig(), train)
    assert all(part.stressed == () for plan in plans for part in plan.parts)
    stressed = replace(plans[0].parts[0], stressed=(train[0],))
    with pytest.raises(ValueError, match="no validation may see"):
        replace(plans[0], parts=(stressed,))
