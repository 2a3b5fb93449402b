"""Where standard output is closed, full or not UTF-8, one line says so and the status is right."""

import io
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from rich.console import Console

from bearing_search.cli import main
from bearing_search.cli.output import say, say_json
from bearing_search.errors import ConfigError
from bearing_search.session.terminal import print_problem, terminal
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.text.printable import printable

CALL = f"{sys.executable} -m bearing_search"


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        (f"{CALL} --version >&-", 5, "standard output is closed; send it to a file"),
        (f"{CALL} --version >/dev/full", 5, "standard output cannot be written (No space left"),
        (f"PYTHONIOENCODING=ascii {CALL} check é 2>&1 >/dev/null", 2, "\\xe9: no such search"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(line, status, told):
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)

    assert done.returncode == status
    said = (done.stderr + done.stdout).splitlines()
    assert len(said) == 1, said
    assert told in said[0]


def test_a_reader_that_leaves_is_no_error():
    line = f"{CALL} run --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")


def test_control_characters_of_names_are_shown_as_escapes(capsys):
    name = "a\x1b[31m\nb\u202e\udcff\x85"

    assert printable(name, keep="") == "a\\x1b[31m\\nb\\u202e\\udcff\\x85"
    assert printable("schön\n") == "schön\n"
    assert main(["check", name]) == 2
    terminal().print(name)
    shown = capsys.readouterr()
    assert len(shown.err.splitlines()) == 1
    for text in (shown.err, shown.out):
        assert "\x1b" not in text
        assert "\\x1b[31m" in text


def test_names_in_what_import_and_roi_print_and_in_json_are_escaped(capsys):
    say("a\x1b[31m\x7fb\nc")
    say_json({"a": "\x1b\x7f\x9b결"})
    said, written = capsys.readouterr().out.split("{", 1)
    assert said == "a\\x1b[31m\\x7fb\nc\n"
    assert not {"\x1b", "\x7f", "\x9b"} & set(written)
    assert json.loads("{" + written) == {"a": "\x1b\x7f\x9b결"}


def test_problems_go_to_stderr_unless_the_caller_has_a_console(capsys):
    written = io.StringIO()
    given = Console(file=written)
    for console in (terminal(), terminal(stderr=True), given):
        print_problem(console, "warning: x")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "warning: x\n" * 2)
    assert written.getvalue() == "warning: x\n"


@pytest.mark.parametrize("command", ["import", "roi"])
def test_a_data_set_with_control_characters_in_its_names_is_shown_escaped(
    command, tmp_path, capsys
):
    raw = tmp_path / "raw\x1b[31m"
    part = raw / ("p" if command == "import" else "p\x1b[31m")
    for number in range(3):
        file = part / f"train/good/g{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        cv2.imwrite(str(file), rng.integers(0, 255, (40, 40), dtype=np.uint8))
    (part / "test/good").mkdir(parents=True)
    cv2.imwrite(str(part / "test/good/t\x07.png"), np.full((40, 40), 90, np.uint8))
    out = tmp_path / "out\x07"
    more = ["--workers", "1"] if command == "roi" else []
    assert main([command, str(raw), "--out", str(out), *more]) == 0
    shown = capsys.readouterr().out
    assert "\\x1b[31m" in shown
    assert "out\\x07" in shown
    assert not {"\x1b", "\x07"} & set(shown)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["status", "--results", "r"],
        ["cache", "ls", "--results"],
    ],
)
def test_a_name_longer_than_the_file_system_allows_is_refused(arguments, capsys):
    assert main([*arguments, "x" * 300]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("characters): File name too long")
    assert len(line) < 160


def test_numbers_without_end_are_refused():
    for number in (float("inf"), float("nan"), -1.0):
        with pytest.raises(ConfigError, match="gpus per trial is"):
            Resources(gpus_per_trial=number)
        with pytest.raises(ConfigError, match="time_budget_s is"):
            SessionOptions(time_budget_s=number)
