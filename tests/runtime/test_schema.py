import json

import pytest

from bearing_search.cli import main
from bearing_search.errors import BundleError
from bearing_search.filesystem.digest import sha256_of_json
from bearing_search.runtime.detector import load_detector
from bearing_search.runtime.schema import (
    DETECTOR_FILE,
    SCHEMA_VERSION,
    read_facts,
    without_paths,
    write_facts,
)


@pytest.fixture
def bundle(facts, tmp_path):
    folder = tmp_path / "bundle"
    (folder / "networks/0").mkdir(parents=True)
    (folder / "networks/0/weights.safetensors").write_bytes(b"weights")
    write_facts(folder, facts)
    return folder


def altered(folder, change):
    file = folder / DETECTOR_FILE
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_what_is_written_is_read(bundle, facts):
    found = read_facts(bundle)
    assert found.parts == facts.parts
    assert found.trial == facts.trial
    assert list(found.files) == ["networks/0/weights.safetensors"]
    assert load_detector(bundle).thresholds["a"].ng == 150


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(schema_version=SCHEMA_VERSION + 1), "has schema version 2"),
        (lambda c: c.update(schema="other"), "its schema is 'other'"),
        (lambda c: c["parts"]["a"]["thresholds"].update(ng=200), "was altered since"),
        (lambda c: c.pop("digest"), "was altered since"),
        (lambda c: c.update(provenance={"x": float("nan")}), "was altered since"),
    ],
)
def test_another_schema_or_an_altered_one_is_refused(bundle, capsys, change, said):
    altered(bundle, change)
    assert main(["bundle", "check", str(bundle)]) == 11
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_a_file_that_is_missing_truncated_or_outside_is_refused(bundle, facts):
    file = bundle / "networks/0/weights.safetensors"
    file.write_bytes(b"weight")
    with pytest.raises(BundleError, match="truncated or altered"):
        load_detector(bundle)
    assert load_detector(bundle, verifies=False).parts
    file.unlink()
    with pytest.raises(BundleError, match="is missing; copy the whole folder"):
        load_detector(bundle, verifies=False)
    (bundle / DETECTOR_FILE).write_text("{")
    with pytest.raises(BundleError, match="cannot be read"):
        load_detector(bundle)
    with pytest.raises(BundleError, match=r"is no exported detector \(there is no detector.json\)"):
        load_detector(bundle / "networks")


def sealed_again(folder, change):
    """Alter detector.json as somebody would who knows how its digest is made."""

    def seal(content):
        content.pop("digest")
        change(content)
        content["digest"] = sha256_of_json(content)

    altered(folder, seal)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["files"].update({"../secret": "0"}), r"outside its folder, \.\./secret"),
        (lambda c: c["networks"]["0"].update(graph="../a.onnx"), r"names \.\./a\.onnx, whose SHA"),
        (lambda c: c.update(format="pickle"), "format: "),
        (lambda c: c["config"].update(detector="none"), "detector: "),
        (lambda c: c["parts"]["a"].update(network="7"), "a part without a network"),
        (lambda c: c["parts"]["a"]["thresholds"].update(ok=500), "ok at most ng"),
    ],
)
def test_a_sealed_file_that_makes_no_sense_is_refused(bundle, change, said):
    sealed_again(bundle, change)
    with pytest.raises(BundleError, match=said):
        load_detector(bundle)


def test_no_folder_of_the_machine_that_trained_travels(tiny_config):
    from dataclasses import replace

    encoder = replace(tiny_config.encoder, weights="file:/home/me/vit.pth")
    plain = without_paths(replace(tiny_config, encoder=encoder))
    assert plain["encoder"]["weights"] == "file:vit.pth"
