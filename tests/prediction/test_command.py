"""The command `predict`: rows on stdout, everything else on stderr, and a status."""

import csv
import io
import json
import time

import cv2
import pytest

from bearing_search.cli import main, prediction_display
from bearing_search.prediction.results import COLUMNS


@pytest.fixture
def run(detector_folder, tmp_path, capsys):
    folder = detector_folder()

    def call(*arguments):
        status = main(["predict", str(folder), *map(str, arguments)])
        return (status, *capsys.readouterr())

    return call


@pytest.fixture
def pictures(photograph, tmp_path):
    photograph("p/good")
    photograph("p/dent", spot=200)
    return tmp_path / "p"


def test_the_table_and_the_summary(run, pictures):
    status, out, err = run(pictures)
    head, dent, good = out.splitlines()
    assert status == 0
    assert head.split()[:3] == ["verdict", "sample", "score"]
    assert dent.split()[:5] == ["NG", "dent", "200", "150", "+50"]
    assert dent.endswith("128 px at (40, 20)")
    assert good.split()[:5] == ["OK", "good", "40", "150", "-110"]
    first, times, loading = err.splitlines()
    assert first == "2 samples: 1 OK, 1 NG"
    assert times.startswith("time per sample, reading and region of interest included: P50 ")
    assert "P95" in times
    assert "P99" in times
    assert loading.startswith("loading the network: ")


def test_what_was_not_judged_is_said_and_has_a_status(run, pictures, photograph):
    photograph("p/alone", levels=1)
    status, out, err = run(pictures, pictures / "gone.png")
    assert status == 3
    assert "wrong levels alone" in " ".join(out.split())
    lines = err.splitlines()
    assert lines[0] == f"{pictures / 'gone.png'}: does not exist"
    assert lines[1].startswith("wrong levels: alone: has 1 brightness levels")
    assert "3 samples: 1 OK, 1 NG, 1 wrong levels" in lines
    status, _, err = run(pictures / "none*.png")
    assert (status, err) == (3, f"error: {pictures / 'none*.png'}: no file matches this pattern\n")


def test_ng_is_no_error_unless_asked(run, pictures):
    assert run(pictures, "--fail-on-ng")[0] == 12
    (pictures / "dent_b0.png").unlink()
    (pictures / "dent_b1.png").unlink()
    assert run(pictures, "--fail-on-ng")[0] == 0


def test_json_lines_and_csv_have_every_sample(run, pictures, photograph):
    photograph("p/=cmd", levels=1)
    lines = [json.loads(line) for line in run(pictures, "--json")[1].splitlines()]
    assert [one["verdict"] for one in lines] == ["wrong levels", "NG", "OK"]
    assert lines[1]["thresholds"] == {"ok": 100, "ng": 150}
    assert lines[1]["region"]["area_px"] == 128
    assert lines[0]["score"] is None
    rows = list(csv.DictReader(io.StringIO(run(pictures, "--csv")[1])))
    assert tuple(rows[0]) == COLUMNS
    assert [row["verdict"] for row in rows] == ["wrong levels", "NG", "OK"]
    assert rows[0]["sample"] == "'=cmd"  # no spreadsheet runs it
    assert rows[1]["margin"] == "50.0"
    assert rows[0]["score"] == ""


def test_only_ng_shows_and_draws_ng(run, pictures, tmp_path):
    status, out, err = run(pictures, "--only", "ng", "--json", "--out", tmp_path / "out")
    assert status == 0
    (row,) = map(json.loads, out.splitlines())
    assert row["overlay"] == "plate/dent.png"
    assert [f.name for f in (tmp_path / "out").rglob("*.png")] == ["dent.png"]
    assert cv2.imread(str(tmp_path / "out" / "plate" / "dent.png")) is not None
    assert "2 samples: 1 OK, 1 NG" in err
    status, _, err = run(pictures, "--out", tmp_path / "out")
    assert status == 2
    assert "is not an empty folder" in err


def test_photographs_of_one_part_show_its_repeatability(run, photograph, tmp_path):
    for part, spots in (("r1", (140, 150, 160)), ("r2", (40, 40, 40))):
        for shot, spot in enumerate(spots):
            photograph(f"p/{part}_shot{shot}", spot=spot)
    status, _, err = run(tmp_path / "p", "--repeat", "3")
    lines = err.splitlines()
    assert status == 0
    assert lines[0] == (
        "r1_shot0: 1 re-inspect, 2 NG; score 150, from 140 to 160, standard deviation 10"
    )
    assert lines[1].startswith("r2_shot0: 3 OK; score 40, from 40 to 40, standard deviation 0")
    # pooled over 2 and 2 degrees of freedom
    assert lines[2] == (
        "plate: verdicts differ for 1 of 2 parts photographed repeatedly; repeatability standard "
        "deviation of the score 7.1: within 21 of the threshold 150 a verdict may change"
    )
    status, _, err = run(tmp_path / "p", "--repeat", "4")
    assert (status, err.count("\n")) == (2, 1)
    assert "6 samples are not 4 photographs of each part" in err


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--json", "--csv"], "--json and --csv: name one of them"),
        (["--only", "ok"], "only is 'ok'; wanted ng or not-ok"),
        (["--repeat", "1"], "--repeat 1: one photograph shows nothing; wanted 2 or more"),
        (["--part", "LC"], "part LC: this detector knows plate; name one of them"),
    ],
)
def test_a_wrong_call_is_one_line(run, pictures, flags, line):
    assert run(pictures, *flags) == (2, "", f"error: {line}\n")


def test_a_folder_that_is_no_detector_is_one_line(pictures, capsys):
    assert main(["predict", str(pictures), str(pictures)]) == 11
    assert "is no exported detector" in capsys.readouterr().err


def test_names_with_control_characters_reach_no_terminal(run, photograph, tmp_path):
    photograph("p/a\x1b[2Jb", levels=1)
    _, out, err = run(tmp_path / "p")
    assert "\x1b" not in out + err
    assert r"a\x1b[2Jb" in out


def test_long_and_wide_names_keep_the_columns(run, photograph, tmp_path):
    photograph("p/" + "라인" * 20 + "_1")
    photograph("p/b")
    _, out, _ = run(tmp_path / "p")
    head, short, long = out.splitlines()
    assert "…" in long
    assert "인_1" in long
    assert head.index("score") + 5 == short.index(" 40 ") + 3


def test_progress_begins_after_five_seconds(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = prediction_display.ProgressLines(100)
    for _ in range(100):
        now[0] += 1.0
        progress.advance()
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "5 of 100 judged, about 1:35 left"
    assert lines[1] == "15 of 100 judged, about 1:25 left"
    assert len(lines) == 10
