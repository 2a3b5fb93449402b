"""Standard output and error that can be closed, full, or unable to show a character."""

import errno
import io
import json
import os
import sys
from typing import Any

from bearing_search.text.printable import printable

_LOST = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG)


def say(text: str) -> None:
    """Print to stdout, with control characters of names as escapes."""
    print(printable(text))


def say_json(content: Any) -> None:
    """Print as JSON to stdout; what is not printable ASCII as an escape that JSON knows."""
    print(json.dumps(content, indent=2, default=str).replace("\x7f", r"\u007f"))


class _Sink(io.RawIOBase):
    """Writes to a file descriptor; once that fails, it drops everything and keeps the reason."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write what can be written; returns its length."""
        size = memoryview(data).nbytes
        if self.error is not None:
            return size
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            if error.errno not in _LOST:
                raise
            self.error = error
            return size

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """The file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)


class Output:
    """The process's standard output and error, guarded.

    What a terminal cannot encode is escaped. A reader that has gone (`| head`) or a full disk ends
    no sweep: later text is dropped.
    """

    def __init__(self) -> None:
        self.was_closed = sys.stdout is None
        _fill_closed_descriptors()
        self._stdout = _guarded("stdout", 1)
        self._stderr = _guarded("stderr", 2)

    def failure(self) -> str:
        """Why not all of standard output could be written; empty: it was, or its reader left."""
        if self.was_closed:
            return "standard output is closed; send it to a file, or to /dev/null"
        if sys.stdout is not None:
            sys.stdout.flush()
        error = self._stdout.error if self._stdout else None
        if error is None or error.errno == errno.EPIPE:
            return ""
        return f"standard output cannot be written ({os.strerror(error.errno or 0)})"


def _fill_closed_descriptors() -> None:
    """Open /dev/null in place of closed ones, or a database could be opened in their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def _guarded(name: str, descriptor: int) -> _Sink | None:
    """Replace one of the process's own streams; None: a test or notebook has replaced it."""
    stream = getattr(sys, name)
    if stream is not None and stream is not getattr(sys, f"__{name}__"):
        return None
    sink = _Sink(descriptor)
    text = io.TextIOWrapper(
        io.BufferedWriter(sink),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=stream is None or stream.line_buffering,
        write_through=name == "stderr",
    )
    if stream is not None:
        stream.flush()
    setattr(sys, name, text)
    return sink
