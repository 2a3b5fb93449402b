"""Captures what decoders print, and keeps it off the terminal.

libjpeg, libpng and libtiff write warnings to file descriptor 2, bypassing `sys.stderr`. During
decoding the descriptor is redirected to memory, which takes some 10 microseconds per image. What
other threads write meanwhile is written to the real stderr afterwards.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()
_STDERR = 2
_DECODER_LINE = re.compile(
    r"libpng |Corrupt JPEG data|Premature end of JPEG|Inconsistent progression|Invalid SOS|"
    r"Unknown Adobe|Warning: unknown JFIF|Unsupported marker|Warning, |Error, |"
    r"(TIFF|_TIFF|OJPEG|JPEG|LZW|ZIP|Fax|PackBits|Pixar|LogL|ThunderD|Next)\w*: |"
    r"\[ *(WARN|ERROR|INFO|DEBUG)[:@]|imdecode|imread|.*: (Warning|Error), |"
    r".*(imgcodecs|libtiff|openjp)"
)
_DAMAGED_JPEG = re.compile(
    r"(Corrupt JPEG data: (?!bad ICC)|Premature end of JPEG|Inconsistent progression|Invalid SOS).*"
)


class DecoderLines:
    """Lines that decoders printed; filled when the block of `captured_decoder_lines` ends."""

    def __init__(self) -> None:
        self.lines: tuple[str, ...] = ()

    @property
    def jpeg_damage(self) -> str:
        """libjpeg's first message about a damaged image; empty: it found no damage."""
        return next((line for line in self.lines if _DAMAGED_JPEG.match(line)), "")


@contextmanager
def captured_decoder_lines() -> Iterator[DecoderLines]:
    """Collect what decoders print inside the block; other lines are printed afterwards."""
    found = DecoderLines()
    with _LOCK:
        try:
            real = os.dup(_STDERR)
        except OSError:  # closed, as in some daemons: nothing can be printed either
            yield found
            return
        memory = os.memfd_create("decoder-lines")
        os.dup2(memory, _STDERR)
        try:
            yield found
        finally:
            os.dup2(real, _STDERR)
            text = _all_of(memory)
            os.close(memory)
            lines = text.decode(errors="replace").splitlines()
            found.lines = tuple(line for line in lines if _DECODER_LINE.match(line))
            others = [line for line in lines if line.strip() and not _DECODER_LINE.match(line)]
            if others:
                os.write(real, ("\n".join(others) + "\n").encode())
            os.close(real)


def _all_of(memory: int) -> bytes:
    size = os.lseek(memory, 0, os.SEEK_END)
    return os.pread(memory, size, 0)
