"""Each file of a sweep and of the cache, damaged in each way: one line names it, the rest works."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from bearing_search.cli import main
from bearing_search.errors import DamagedFileError
from bearing_search.filesystem.stored_file import is_access_error, naming_damage, read_json_object
from bearing_search.measurement import Measurement
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.key import StageKey
from bearing_search.trial_history.measurement_log import (
    MEASUREMENTS_FILE,
    MeasurementLog,
    read_measurements,
)


def _make_folder(file):
    file.unlink()
    file.mkdir()


DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(b"\xff\x00garbage\n" * 20),
    "null": lambda file: file.write_bytes(b"null\n"),
    "list": lambda file: file.write_bytes(b"[1]\n"),
    "folder": _make_folder,
}
"""Mode 000 is not among them: it does not bind root, who often runs tests; see the last test."""

TRIAL = "one/trials/00000"
MEASURED = Measurement(step=1, values={"cost/computed_seconds": 1.0}, progress=1.0)
UNIT = {"rows": [], "metrics": {}, "tags": {}, "reused": [], "computed_s": 1.0, "saved_s": 0.0}
OPENED = {"times_opened": 1, "opened": "2026-01-01"}

COMMANDS: Mapping[str, tuple[list[str], ...]] = {
    "one": (["status"], ["status", "one"], ["status", "one", "--json"], ["compare", "one"]),
    "cache": (["cache", "ls"], ["cache", "verify"]),
}


@pytest.fixture
def results(make_sweep):
    """A sweep of three trials whose first one has every file, and a cache with two entries."""
    folder = make_sweep("one", [1.0, 2.0, 1.5])
    for number in range(3):
        trial = folder.trial_folder(number)
        MeasurementLog(trial / MEASUREMENTS_FILE).append(MEASURED)
        (trial / "LC/fold0/unit.json").write_text(json.dumps(UNIT))
    (folder.root / "end.json").write_text(json.dumps({"why": "stopped by signal"}))
    (folder.root / "evaluate").mkdir()
    (folder.root / "evaluate/evaluation.json").write_text(json.dumps(OPENED))
    root = folder.root.parent
    with closing(StageCache(folder.cache / "stages")) as cache:
        for seed in (1, 2):
            with cache.claim(StageKey("features", {"seed": seed}), user=TRIAL) as entry:
                (entry.folder / "x.npy").write_bytes(b"1234")
                entry.note_seconds()
                if seed == 1:
                    cache.finish(entry)
    (folder.cache / "stages/max_bytes").write_text("1000000")
    assert main(["compare", "one", "--results", str(root)]) == 0
    return root


def _files(root: Path) -> list[Path]:
    """The files that commands read, of the first trial, the sweep and the cache."""
    trial = (f"{TRIAL}/{name}" for name in (MEASUREMENTS_FILE, "config.json", "influence.npz"))
    fold = (f"{TRIAL}/LC/fold0/{name}" for name in ("unit.json", "scored.npz"))
    stages = root / "cache/stages/features"
    return [
        *(root / name for name in (*trial, *fold, "one/end.json", "one/evaluate/evaluation.json")),
        root / "cache/stages/max_bytes",
        *stages.glob("*/users"),
        *stages.glob("*/done/manifest.json"),
        *stages.glob("*/work*/seconds.json"),
    ]


NOT_SEEN = {("users", "null"), ("users", "list"), ("max_bytes", "truncated")}
"""A user may have any name, and half a number is a number."""

SILENT_WHEN_EMPTY = {"users", MEASUREMENTS_FILE}
"""Nothing was used or measured yet, or a killed writer has torn the last line."""


def _is_harm(file: Path, how: str) -> bool:
    if (file.name, how) in NOT_SEEN or file.name == "seconds.json":
        return False
    return not (file.name in SILENT_WHEN_EMPTY and how in ("empty", "truncated"))


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file_costs_one_line_that_names_it(results, tmp_path, capsys, caplog, how):
    good = tmp_path / "good"
    shutil.copytree(results, good)
    for file in _files(results):
        DAMAGES[how](file)
        told = ""
        for command in COMMANDS[file.relative_to(results).parts[0]]:
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                status = main([*command, "--results", str(results)])
            printed = capsys.readouterr()
            assert status in (0, 5, 6), (file, command, printed.err)
            assert "Traceback" not in printed.err
            assert len(printed.err.splitlines()) <= 1 + len(caplog.records)
            told += printed.err + printed.out.replace("\n", "") + caplog.text
            if command == ["status"]:
                assert "one: 3 of 3 trials" in printed.out
            if command == ["compare", "one"]:
                assert "trial 1" in printed.out
        if _is_harm(file, how):
            named = "evaluation.json" if file.name == "evaluation.json" else str(file)
            if file.name == "manifest.json":  # the table shows the entry as broken
                named = file.parts[-3][:8]
            assert named in told, (file, told)
        shutil.rmtree(results)
        shutil.copytree(good, results)


def test_a_trial_with_a_damaged_file_is_left_out_and_the_report_says_so(results, capsys):
    (results / TRIAL / "LC/fold0/scored.npz").write_bytes(b"")
    assert main(["compare", "one", "--results", str(results)]) == 0
    page = capsys.readouterr().out
    assert "A trial is left out" in page
    assert "scored.npz: cannot be read" in page
    assert main(["status", "one", "--json", "--results", str(results)]) == 0
    board = json.loads(capsys.readouterr().out)["leaderboard"]
    assert "scored.npz: cannot be read" in json.dumps(board)
    assert len(board["settings"]) == 2


def test_with_no_sound_trial_left_the_last_damaged_file_is_named(results, capsys):
    for number in range(3):
        (results / f"one/trials/{number:05d}/config.json").write_text("null")
    assert main(["compare", "one", "--results", str(results)]) == 6
    assert (
        "config.json: cannot be read (it holds null instead of an object)"
        in capsys.readouterr().err
    )


def test_a_damaged_record_of_test_is_not_taken_for_a_test_that_was_never_opened(results, capsys):
    (results / "one/evaluate/evaluation.json").write_text("[]")
    assert main(["status", "one", "--results", str(results)]) == 0
    assert "Test has been opened, at least once" in capsys.readouterr().out.replace("\n", " ")
    assert main(["evaluate", "one", "--results", str(results)]) == 6
    assert "evaluation.json: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["garbage", "null", "folder"])
def test_a_resumed_trial_writes_its_measurements_anew(results, caplog, how):
    file = results / TRIAL / MEASUREMENTS_FILE
    DAMAGES[how](file)
    MeasurementLog(file).append(MEASURED)
    assert list(read_measurements(file)) == [MEASURED]
    assert file.with_name(f"{MEASUREMENTS_FILE}.damaged").exists()
    assert f"{file}: cannot be read" in caplog.text


def test_what_is_damaged_is_said_in_one_line(tmp_path):
    file = tmp_path / "x.json"
    with pytest.raises(DamagedFileError, match=r"x.json: cannot be read \(No such file"):
        read_json_object(file)
    with pytest.raises(DamagedFileError, match=r"cannot be read \(one\)$"), naming_damage(file):
        raise ValueError("one\ntwo")


def test_a_path_that_may_not_be_used_is_one_line(results, capsys):
    (results / "one/knobs.json").unlink()
    (results / "one/knobs.json").mkdir()
    assert main(["compare", "one", "--results", str(results)]) == 5
    assert capsys.readouterr().err == f"error: {results / 'one/knobs.json'}: Is a directory\n"
    assert is_access_error(PermissionError(13, "Permission denied", "x"))
    assert not is_access_error(ValueError("x"))
