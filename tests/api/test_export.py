"""`export` and `bundle check` with real ONNX Runtime and OpenVINO, on a tiny PatchCore."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml
from rich.console import Console

import bearing_search
from bearing_search.analysis.postprocess_settings import present_setting
from bearing_search.api.deploy.contract_file import contract_thresholds
from bearing_search.cli import main
from bearing_search.config import FIRST_SCHEME, config_digest, to_plain
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import DamagedFileError
from bearing_search.evaluation.prediction_files import fold_predictions, load_predictions
from bearing_search.export import parity
from bearing_search.export.int8 import quantise
from bearing_search.filesystem.atomic import write_json
from bearing_search.filesystem.digest import sha256_of_file
from bearing_search.reporting.contracts.contract_json import Source
from bearing_search.runtime.backends.onnx_backend import open_onnx
from bearing_search.runtime.backends.openvino_backend import open_openvino
from bearing_search.runtime.backends.protocol import NetworkSource
from bearing_search.runtime.detector import load_detector
from bearing_search.runtime.schema import NetworkFiles
from bearing_search.session.inputs import train_digest
from bearing_search.trial_history.records import trial_config


@pytest.fixture
def tiny_sweep(make_set, make_sweep, tiny_raw):
    """A finished sweep on plates; its test pictures are rubbish."""

    def tiny_sweep(parts=("LC",), **settings):
        data = make_set(parts=parts, normals=8)
        for file in data.glob("*/test/*/*.png"):
            file.write_bytes(b"sealed")
        raw = {**tiny_raw, "preprocess": {"geometry": {}}, **settings}
        text = "# Which seed?\n" + yaml.safe_dump({"base": raw, "vary": {"seed": {"int": [0, 9]}}})
        digest = train_digest(load_data_set(data))
        folder = make_sweep("first", [1.0], space_text=text, data=str(data), data_digest=digest)
        return folder, ["first", "--device", "cpu", "--results", str(folder.root.parent)]

    return tiny_sweep


FROZEN = {"epochs": 0, "reconstruction_only_epochs": 0}


def files_of(folder, name):
    return sorted(folder.data.glob(f"LC/train/{name}_b*.png"))


def names(folder):
    return {file.name for file in folder.iterdir()}


def source(folder, precision="fp32"):
    """The network of an exported detector."""
    files = NetworkFiles(weights="", graph="networks/0/model.onnx")
    config = load_detector(folder).config
    return NetworkSource(folder=folder, files=files, config=config, precision=precision, threads=1)


def assert_judges_as_torch(folder, out):
    ours, theirs = load_detector(out), load_detector(out, runs_torch=True)
    assert ours.facts.provenance["test"] == "Test has not been opened."
    assert ours.facts.provenance["aside"] == {"LC": 4}
    samples = [files_of(folder, f"good/train_s{n}") for n in range(8)]
    found = [ours.judge(levels, "LC") for levels in samples]
    wanted = [theirs.judge(levels, "LC") for levels in samples]
    scores = [one.score for one in found]
    assert [one.word for one in found] == [one.word for one in wanted]
    assert scores == pytest.approx([one.score for one in wanted], rel=1e-4)
    assert len(set(scores)) > 1
    assert ours.facts.parts["LC"].normal["score"][0] <= max(scores)
    kept = ours.facts.parts["LC"].normal_samples
    seen = [one.score for one in kept.samples if one.score is not None]
    assert min(seen) == ours.facts.parts["LC"].normal["score"][0]
    assert 0 < len(seen) < kept.num_roi == len(kept.samples)
    assert all(0 < one.brightness < 255 for one in kept.samples)


def assert_other_precisions_are_near(out):
    graph = out / "networks/0/model.onnx"
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    exact = open_onnx(source(out))(pixels).distances
    alone = np.concatenate([open_onnx(source(out))(one[None]).distances for one in pixels])
    np.testing.assert_allclose(alone, exact, rtol=1e-4)
    half = open_openvino(source(out, "bf16"))(pixels).distances
    np.testing.assert_allclose(half, exact, rtol=0.1)
    smaller = shutil.copytree(out, out.with_name("int8")) / "networks/0/model.onnx"
    quantise(smaller)
    assert smaller.stat().st_size < graph.stat().st_size / 2
    assert names(smaller.parent) == {"model.onnx", "weights.safetensors"}


def assert_is_updated(folder, out, capsys):
    """Thresholds and light range fit darker pictures; the network and its files stay."""
    pictures, new = folder.root / "new", out.with_name("new")
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number in range(24):
        for level, file in enumerate(files_of(folder, f"good/train_s{number % 8}")):
            pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) * 0.6
            noisy = np.clip(pixels + rng.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)
            assert cv2.imwrite(str(pictures / f"n{number}_b{level}.png"), noisy)
    asked = ["update", str(out), "--normals", str(pictures), "--out", str(new)]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "24 samples, 8 adversarial" in shown
    assert "the network is unchanged" in shown
    before, after = load_detector(out).facts, load_detector(new).facts
    assert after.provenance["lineage"][0]["parent"] == sha256_of_file(out / "detector.json")
    assert after.provenance["aside"] == {"LC": 24}
    assert after.files["networks/0/model.onnx"] == before.files["networks/0/model.onnx"]
    ours, theirs = after.parts["LC"], before.parts["LC"]
    assert ours.normal["brightness"][-1] < theirs.normal["brightness"][0]
    assert len(ours.normal_samples.samples) == 24
    assert ours.normal["score"][-1] < ours.thresholds.ng  # of 24, none may be flagged
    assert main(["bundle", "check", str(new)]) == 0
    assert main(["drift", str(out), str(pictures)]) == 13
    assert "darker than in training" in capsys.readouterr().out
    assert main(asked) == 2
    for number in range(6, 24):
        for file in pictures.glob(f"n{number}_b*.png"):
            file.unlink()
    assert main([*asked[:-1], str(out.with_name("few"))]) == 9
    assert "6 normal pictures with a score cannot promise" in capsys.readouterr().err
    assert not out.with_name("few").exists()


@pytest.mark.slow  # trains and writes a graph
def test_onnx_is_written_checked_and_judges_as_torch(tiny_sweep, capsys, monkeypatch):
    folder, options = tiny_sweep(detector="patchcore", finetune=FROZEN)
    out = folder.root / "export" / "trial0-onnx-fp32"
    assert main(["export", *options]) == 0
    shown = capsys.readouterr().out
    assert "LC: 12 samples, 8 adversarial" in shown
    assert "0 verdicts flip" in shown
    assert names(out) == {"detector.json", "README.md", "networks", "self_test"}
    assert not [f for f in out.rglob("*") if f.suffix in (".pt", ".pkl", ".pickle")]
    assert main(["bundle", "check", str(out)]) == 0
    assert "LC: its own sample scores" in capsys.readouterr().out

    assert_judges_as_torch(folder, out)
    assert_other_precisions_are_near(out)

    assert main(["export", *options]) == 2
    assert "exists already" in capsys.readouterr().err
    monkeypatch.setitem(parity.TOLERANCE, "fp32", 0.0)
    before = names(out.parent)
    assert main(["export", *options, "--out", str(out.with_name("strict"))]) == 10
    said = capsys.readouterr()
    assert "weights of export/training-" in said.out  # not trained again
    assert "too far: LC: " in said.out
    assert "Nothing was written" in said.err
    assert names(out.parent) == before
    assert_is_updated(folder, out, capsys)
    graph = out / "networks/0/model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    assert main(["bundle", "check", str(out)]) == 11
    assert "truncated or altered" in capsys.readouterr().err


@pytest.mark.slow  # trains and writes a graph
def test_openvino_takes_the_weights_of_evaluate_and_one_part(tiny_sweep, capsys):
    folder, options = tiny_sweep(parts=("LC", "OD"), detector="padim", finetune=FROZEN)
    shutil.copytree(folder.trial_folder(0) / "LC", folder.trial_folder(0) / "OD")
    opened = bearing_search.open_sweep(folder.root)
    opened.export(format="torch", device="cpu", out=folder.root / "both")
    both = load_detector(folder.root / "both")
    assert both.parts == ("LC", "OD")
    assert both.facts.parts["LC"].network != both.facts.parts["OD"].network
    (training,) = (folder.root / "export").glob("training-*")
    looked = (
        folder.root / "evaluate" / f"look2-{training.name.rpartition('-')[2]}-calibrated-stress"
    )
    looked.parent.mkdir()
    training.rename(looked)

    capsys.readouterr()
    assert main(["export", *options, "--format", "openvino", "--part", "OD"]) == 0
    assert "weights of evaluate/look2-" in capsys.readouterr().out
    one = load_detector(folder.root / "export" / "trial0-openvino-fp32-OD")
    assert one.parts == ("OD",)
    levels = sorted(folder.data.glob("OD/train/good/train_s1_b*.png"))
    assert one.judge(levels, "OD").score == pytest.approx(both.judge(levels, "OD").score, rel=1e-4)
    assert not list(folder.root.glob("export/training-*"))


@pytest.mark.slow  # trains
def test_a_fine_tuned_encoder_is_the_one_that_is_exported(tiny_sweep):
    folder, _ = tiny_sweep(fusion="score_max")
    found = bearing_search.open_sweep(folder.root).export(0, format="torch", device="cpu")
    scored = found.folder.parent.glob("training-*/LC/all/scored.npz")
    trained = load_predictions(next(scored))
    detector = load_detector(found.folder)
    for name, score in zip(trained.names, trained.image_scores, strict=True):
        levels = files_of(folder, name.split("/", 2)[2])
        assert detector.judge(levels, "LC").score == pytest.approx(score, abs=0.02)  # bf16


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (["--format", "onxx"], 2, "format is 'onxx'; wanted torch, onnx, openvino"),
        (["--precision", "bf16"], 2, "precision is 'bf16'; format onnx runs in fp32 or int8"),
        (["--part", "SC"], 2, "part SC: the sweep has LC"),
        (["--trial", "7"], 6, "trial 7 is not complete; these are: 0"),
        (["--out", "."], 2, "exists already"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(tiny_sweep, capsys, asked, status, said):
    _, options = tiny_sweep(detector="padim", finetune=FROZEN)
    assert main(["export", *options, *asked]) == status
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_thresholds_of_a_contract_are_taken_if_they_are_of_this_trial(make_sweep):
    folder, console = make_sweep("first", [1.0]), Console(quiet=True)
    (scored,) = fold_predictions(folder.trial_folder(0)).values()
    setting = present_setting(scored)
    assert contract_thresholds(folder, 0, setting, console) == {}
    source = Source(
        sweep="first",
        trial=0,
        config_digest=config_digest(to_plain(trial_config(folder.root, 0)), FIRST_SCHEME),
        data_digest=folder.record.data_digest,
        setting=setting,
        trials_compared=1,
    )
    contract = {"max_miss": 0.05, "max_overkill": None, "views": "each"}
    part = {"contract": contract, "unit": "standardised", "reinspect_from": 1.0, "ng_from": 2.0}
    write_json(folder.root / "threshold.json", {**source.content, "parts": {"LC": part}})
    found = contract_thresholds(folder, 0, setting, console)["LC"]
    assert (found.ok, found.ng, found.is_standardised) == (1.0, 2.0, True)
    assert found.rule == "threshold --max-miss 0.05, views: each"
    other = replace(setting, fusion="score_max")
    assert contract_thresholds(folder, 0, other, console) == {}
    write_json(folder.root / "threshold.json", {**source.content, "parts": {"LC": {}}})
    with pytest.raises(DamagedFileError, match=r"threshold\.json: cannot be read"):
        contract_thresholds(folder, 0, setting, console)


def test_a_missing_package_is_named_before_anything_is_trained(tiny_sweep, capsys, monkeypatch):
    from bearing_search.api.deploy import export

    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "openvino" else name)
    _, options = tiny_sweep(detector="padim", finetune=FROZEN)
    assert main(["export", *options, "--format", "openvino"]) == 5
    assert "pip install 'bearing_search[export,openvino]'" in capsys.readouterr().err
