"""The command `drift`, from pictures to exit status, with a graph run by ONNX Runtime."""

import json
from dataclasses import replace

import cv2
import pytest

import bearing_search
from bearing_search.cli import main
from bearing_search.runtime.reference import NormalReference, NormalSample
from bearing_search.runtime.schema import read_facts, write_facts


@pytest.fixture
def folder(detector_folder):
    """A detector whose training pictures had mean grey levels, and scores, of 37 to 43."""
    folder = detector_folder()
    facts = read_facts(folder)
    samples = tuple(
        NormalSample(brightness=level, score=level)
        for level in (37 + 6 * number / 29 for number in range(30))
    )
    reference = NormalReference(samples=samples, num_roi=30, num_no_roi=0)
    parts = {name: replace(one, normal_samples=reference) for name, one in facts.parts.items()}
    write_facts(folder, replace(facts, parts=parts))
    return folder


@pytest.fixture
def run(folder, capsys):
    def call(*arguments):
        status = main(["drift", str(folder), *map(str, arguments)])
        return (status, *capsys.readouterr())

    return call


@pytest.fixture
def shots(photograph, tmp_path):
    def write(levels):
        for number, level in enumerate(levels):
            photograph(f"p/r{number}", background=level)
        return tmp_path / "p"

    return write


def test_pictures_as_in_training_have_status_0(run, shots):
    status, out, err = run(shots([38, 39, 40, 41, 42] * 4))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "plate: 20 pictures (20 OK) beside 30 normal samples of training"
    assert lines[1].startswith("  light    same     as in training, within ")
    assert lines[-1].startswith("no drift is certain at 95 %")


def test_darker_pictures_have_status_13_and_a_picture(run, shots, tmp_path):
    pictures = shots([30, 31, 32, 33, 34] * 3)
    status, out, err = run(pictures, "--png", tmp_path / "drift.png")
    assert status == 13
    assert "light    changed  20 % darker than in training [" in out
    assert "15 of 15 beyond its range; scores fall with it by 8" in out
    assert "-> restore lamp" in out
    assert err == f"picture: {tmp_path / 'drift.png'}\n"
    drawn = cv2.imread(str(tmp_path / "drift.png"))
    assert drawn.shape[1] > 3 * drawn.shape[0] > 300
    status, out, _ = run(pictures, "--json")
    found = json.loads(out)
    assert status == 13
    assert found["drift"]
    light = found["parts"]["plate"]["findings"][0]
    assert (light["cause"], light["state"]) == ("light", "changed")
    assert light["measures"][0]["high"] < -0.1
    assert light["measures"][0]["training"][3] == 40


def test_what_predict_printed_gives_the_same_report(run, shots, folder, tmp_path, capsys):
    pictures = shots([38, 39, 40, 41, 42] * 3)
    (pictures / "r0_b1.png").unlink()  # wrong levels: counted, compared with nothing
    main(["predict", str(folder), str(pictures), "--json"])
    file = tmp_path / "today.jsonl"
    file.write_text(capsys.readouterr().out)
    assert run(file)[:2] == run(pictures)[:2]
    assert "15 pictures (14 OK, 1 wrong levels)" in run(file)[1]


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        ("nonsense\n", 3, "line 1: is no line that `predict --json` printed"),
        ("[" * 100_000, 3, "line 1: is no line that `predict --json` printed"),
        ('{"part": "other"}', 2, "part other: this detector knows plate"),
        ('{"part": "plate", "brightness": NaN}', 3, "brightness is 'nan'; wanted a number from 0 "),
        ('{"part": "plate", "score": 1' + "0" * 400 + "}", 3, "score is '1000000"),
        ('{"part": "plate", "roi": {"semi_major": -1}}', 3, "semi_major is '-1'; wanted a number"),
        ('{"part": "plate", "roi": {"x": true}}', 3, "x is 'True'; wanted a number"),
        (
            '{"part": "plate", "score": 1, "thresholds": {"ok": 1, "ng": 2}}',
            2,
            "name the detector that judged them",
        ),
        ("", 3, "holds no sample"),
    ],
)
def test_a_file_that_predict_did_not_print(run, tmp_path, content, status, said):
    file = tmp_path / "x.jsonl"
    file.write_text(content)
    found, _, err = run(file)
    assert found == status
    assert said in err
    assert err.count("\n") == 1


def test_what_cannot_be_asked(run, shots, detector_folder, tmp_path):
    pictures = shots([40])
    assert run(pictures, "--confidence", "much")[0] == 2
    assert run(pictures, "--confidence", "100%")[0] == 2
    assert run(pictures, "--usual-ng", "2")[0] == 2
    assert run(tmp_path / "none")[0] == 3


def test_an_older_detector_has_nothing_to_compare_with(detector_folder, shots, capsys):
    assert main(["drift", str(detector_folder()), str(shots([40]))]) == 11
    assert "export the detector again" in capsys.readouterr().err


def test_from_python(folder, shots):
    report = bearing_search.drift(folder, shots([38, 42] * 6))
    assert not report.has_changed
    assert [one.cause for one in report.parts[0].findings] == ["light", "fixture", "model", "mix"]
