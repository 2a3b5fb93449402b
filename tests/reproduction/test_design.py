from itertools import product
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from bearing_search.api.reproduction import (
    default_name,
    detector_names,
    finetune_settings,
    weights_of,
)
from bearing_search.cli import main
from bearing_search.config import LATEST_SCHEME, FinetuneConfig, TrialConfig
from bearing_search.data.demo.dataset import counts
from bearing_search.data.samples import Sample
from bearing_search.errors import ConfigError, SweepError
from bearing_search.reproduction.cost import Work, seconds, work_of
from bearing_search.reproduction.design import Design, space_text
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.session.reproduction import estimate
from bearing_search.session.speed_probe import Speed
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.study.grid import grid_points

PARTS = ("LC", "OD", "SC")


def points(design: Design) -> list[TrialConfig]:
    space = parse_search_space(space_text(design), "test")
    return [space.trial(point) for point in grid_points(space, LATEST_SCHEME)]


def test_the_paper_profile_is_the_paper_and_nothing_else():
    configs = points(Design(profile="paper", parts=PARTS, seeds=3))
    found = {
        (c.detector, c.encoder.name, c.encoder.input_px, bool(c.finetune.epochs), c.parts, c.seed)
        for c in configs
    }
    pairings = (
        ("vitad", "vit_small_patch16_224.dino", 256),
        ("dinomaly", "vit_base_patch14_reg4_dinov2.lvd142m", 448),
    )
    grid = product(pairings, (False, True), [(part,) for part in PARTS], range(3))
    assert found == {(*pairing, *rest) for pairing, *rest in grid}
    assert len(configs) == 36
    assert {c.encoder.weights for c in configs} == {"hub"}
    assert {c.decoder.iterations for c in configs} == {1750}
    assert {c.finetune for c in configs if c.finetune.epochs} == {FinetuneConfig()}


def test_one_choice_is_no_axis():
    design = Design(profile="cpu", parts=("plate",), detectors=("dinomaly",))
    space = parse_search_space(space_text(design), "test")
    assert list(space.parameters) == ["encoder_state"]
    frozen, tuned = points(design)
    assert (frozen.finetune.epochs, tuned.finetune.epochs) == (0, 60)
    assert frozen.parts == tuned.parts == ("plate",)
    assert frozen.encoder == tuned.encoder
    assert frozen.decoder == tuned.decoder


def test_one_model_for_all_parts_has_no_axis_of_parts():
    configs = points(Design(profile="cpu", parts=PARTS, scope="multi_part"))
    assert len(configs) == 4
    assert {(c.scope, c.parts) for c in configs} == {("multi_part", PARTS)}


@pytest.mark.parametrize("profile", ["paper", "cpu"])
def test_the_baselines_read_dinomalys_encoder_frozen_and_tuned(profile):
    names = ("dinomaly", "patchcore", "padim")
    design = Design(profile=profile, parts=("LC",), detectors=names)
    configs = points(design)
    assert {(c.detector, bool(c.finetune.epochs)) for c in configs} == set(
        product(names, (False, True))
    )
    assert len({c.encoder for c in configs}) == 1
    question = parse_search_space(space_text(design), "test").question
    assert question.endswith("help Dinomaly, PatchCore and PaDiM?")


def test_a_recipe_replaces_the_fine_tuning_and_weights_those_of_one_detector():
    design = Design(
        profile="paper",
        parts=PARTS,
        finetune={"encoder_lr": 3e-5, "ssim_layers": [6, 12]},
        finetune_source="trial 7 of first",
        weights={"vitad": "file:/weights/dino.pth"},
    )
    configs = points(design)
    tuned = {c.finetune for c in configs if c.finetune.epochs}
    assert tuned == {FinetuneConfig(encoder_lr=3e-5, ssim_layers=(6, 12))}
    assert {(c.detector, c.encoder.weights) for c in configs} == {
        ("vitad", "file:/weights/dino.pth"),
        ("dinomaly", "hub"),
    }
    assert "trial 7 of first" in parse_search_space(space_text(design), "test").question


def train_samples(part: str, normal: int, anomalous: int) -> list[Sample]:
    return [
        Sample(
            part=part,
            split="train",
            defect="dent" if number >= normal else "good",
            name=str(number),
            group=str(number),
            is_anomalous=number >= normal,
            level_files=(Path("b0.png"),),
            mask_file=Path("mask.png") if number >= normal else None,
        )
        for number in range(normal + anomalous)
    ]


def test_a_step_costs_what_was_measured():
    # a step of ViTAD and one of fine-tuning, at 935 GFLOP/s
    frozen, tuned = (
        next(
            c for c in points(Design(profile="cpu", parts=("LC",))) if bool(c.finetune.epochs) == t
        )
        for t in (False, True)
    )
    train = train_samples("LC", 64, 8)  # full batches
    alone, with_tuning = work_of(frozen, train), work_of(tuned, train)
    per_step = [
        seconds(Work(gflop=gflop), gflop_per_s=935, device="cpu")
        for gflop in (
            alone.gflop / alone.detector_steps,
            (with_tuning.gflop - alone.gflop) / with_tuning.finetune_steps,
        )
    ]
    assert per_step == pytest.approx([0.75, 1.09], rel=0.15)


def test_a_baseline_costs_one_look_at_each_normal_sample():
    design = Design(profile="cpu", parts=("LC",), detectors=("padim",))
    frozen, tuned = points(design)
    few, many = (work_of(frozen, train_samples("LC", count, 8)) for count in (32, 64))
    assert many.gflop == pytest.approx(2 * few.gflop, rel=1e-3)  # the factors are fitted once
    dinomaly = points(Design(profile="cpu", parts=("LC",), detectors=("dinomaly",)))[0]
    assert many.gflop < work_of(dinomaly, train_samples("LC", 64, 8)).gflop / 10
    assert few.detector_steps == many.detector_steps == 9
    tuning = work_of(tuned, train_samples("LC", 64, 8))
    assert tuning.gflop > 20 * many.gflop


def test_the_cpu_profile_ends_within_half_an_hour_on_two_cores():
    configs = points(Design(profile="cpu", parts=PARTS))
    total = sum(
        (
            work_of(c, train_samples(c.parts[0], *counts("small")[c.parts[0]]["train"]))
            for c in configs
        ),
        Work(),
    )
    assert total.runs == 12
    minutes = seconds(total, gflop_per_s=935, device="cpu", side_by_side=2) / 60
    assert 15 < minutes < 32


def test_gpus_share_the_work_and_cores_do_not():
    work = Work(runs=4, gflop=1e6)
    on_one = seconds(work, gflop_per_s=1e5, device="cuda")
    assert seconds(work, gflop_per_s=1e5, device="cuda", side_by_side=4) == pytest.approx(
        on_one / 4
    )
    compute = seconds(replace_runs(work), gflop_per_s=1e3, device="cpu")
    assert compute == seconds(replace_runs(work), gflop_per_s=1e3, device="cpu", side_by_side=4)


def replace_runs(work: Work) -> Work:
    return Work(gflop=work.gflop)


def test_an_unknown_size_is_no_estimate():
    speed = Speed(device="cpu", count=2, gflop_per_s=100.0)
    assert "duration unknown" in estimate(Work(is_known=False), speed, Resources())
    assert "about 1" in estimate(Work(gflop=3300.0), speed, Resources())


@pytest.mark.parametrize("wrong", ["efficientad", "", "vitad,resnet"])
def test_unknown_detectors_are_refused(wrong):
    with pytest.raises(ConfigError, match="vitad, dinomaly, patchcore, padim, subspace"):
        detector_names(wrong)


def test_detectors_come_in_the_papers_order():
    assert detector_names("dinomaly, vitad") == ("vitad", "dinomaly")
    assert detector_names("padim,vitad,patchcore") == ("vitad", "patchcore", "padim")


def test_weights_name_their_detector(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert weights_of(["vitad=wheel", "dinomaly=file:x.pth"]) == {
        "vitad": "wheel",
        "dinomaly": f"file:{tmp_path / 'x.pth'}",
    }
    with pytest.raises(ConfigError, match="DETECTOR=WEIGHTS"):
        weights_of(["file:x.pth"])


def test_a_recipe_comes_from_a_file(tmp_path):
    file = tmp_path / "found.yaml"
    file.write_text(yaml.safe_dump({"base": {"finetune": {"encoder_lr": 1e-4}}, "vary": {}}))
    settings, called = finetune_settings(str(file), tmp_path, Console())
    assert (settings["encoder_lr"], settings["epochs"], called) == (1e-4, 100, "found.yaml")
    file.write_text(yaml.safe_dump({"seed": 1}))
    with pytest.raises(ConfigError, match="wanted a section `finetune`"):
        finetune_settings(str(file), tmp_path, Console())
    file.write_text(yaml.safe_dump({"finetune": {"epochs": 0, "reconstruction_only_epochs": 0}}))
    with pytest.raises(ConfigError, match="nothing to fine-tune with"):
        finetune_settings(str(file), tmp_path, Console())
    with pytest.raises(SweepError, match="no such sweep"):
        finetune_settings("first", tmp_path, Console())
    with pytest.raises(ConfigError, match="first:best: wanted SWEEP:NUMBER"):
        finetune_settings("first:best", tmp_path, Console())


def test_the_default_name_is_found_again(tmp_path):
    assert default_name("cpu", "demo") == "reproduce-cpu-demo"
    assert default_name("paper", f"{tmp_path}/my rings/") == "reproduce-paper-my-rings"


def test_a_mistake_is_one_line_and_starts_nothing(tmp_path, make_set, capsys):
    arguments = ["reproduce", "--data", str(make_set()), "--results", str(tmp_path / "results")]
    assert main([*arguments, "--detectors", "efficientad"]) == 2
    assert capsys.readouterr().err.startswith("error: --detectors efficientad")
    assert not list((tmp_path / "results").iterdir())
