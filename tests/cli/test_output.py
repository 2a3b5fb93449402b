"""Where standard output is closed, full or not UTF-8, one line says so and the status is right."""

import subprocess
import sys

import pytest

from bearing_search.cli import main
from bearing_search.errors import ConfigError
from bearing_search.session.terminal import terminal
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
