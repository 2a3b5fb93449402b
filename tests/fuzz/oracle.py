"""What must hold of every command, whatever it is given.

No traceback, a documented exit status, one line that says what is wrong, an end within seconds, and
nothing written outside the results folder.
"""

import contextlib
import io
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bearing_search.cli import main

STATUSES = {0, 2, 3, 4, 5, 6, 7, 8, 130}
"""All but 1, a bug."""

PATIENCE_S = 60
"""On a busy machine; quiet ones need a hundredth."""

MAX_LINE = 2000
"""Characters in a line that a person is to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A command that was run, and how it ended."""

    arguments: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines on stderr that say why it was refused."""
        return [line for line in self.err.splitlines() if not line.startswith("WARNING: ")]


class Hang(BaseException):
    """The command did not end."""


def attempt(arguments: Sequence[str], *, place: Path) -> Attempt:
    """Run a command in this process, below a folder, and check that it ends as it may.

    Args:
        arguments: of the command.
        place: the working directory, in which only `results/` may change.
    """
    before = contents(place)
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(place),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        ended_after(PATIENCE_S),
    ):
        status = main(list(arguments))
    done = Attempt(
        arguments=tuple(arguments), status=status, out=out.getvalue(), err=err.getvalue()
    )
    assert status in STATUSES, done
    assert "Traceback" not in done.out + done.err, done
    if status not in (0, 130):
        assert len(done.errors) == 1, done
        assert done.errors[0].startswith(("error: ", "Usage: ")), done
        assert len(done.errors[0]) <= MAX_LINE, done
    assert not set(done.out + done.err) & CONTROLS, done
    changed = {file for file, state in contents(place).items() if before.get(file) != state}
    assert changed <= {f for f in changed if f.parts[0] == "results"}, (done, changed)
    assert {f for f in before if f.parts[0] != "results"} <= contents(place).keys(), done
    return done


CONTROLS = {chr(code) for code in range(32)} - set("\n\r\t") | {"\x7f", "\x9b"}
"""Characters that a terminal would obey."""


def contents(place: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file below a folder, by its path in it."""
    return {
        file.relative_to(place): (file.lstat().st_size, file.lstat().st_mtime_ns)
        for file in place.rglob("*")
        if not file.is_dir()
    }


@contextlib.contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """The block is ended by `Hang` once the time is up; main thread only."""

    def end(_: int, frame: FrameType | None) -> None:
        raise Hang(str(frame))

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
