"""Names of samples -> names of files: whatever a sample is called, its file lies in its folder."""

import re
import unicodedata
from pathlib import Path

from bearing_search.filesystem.digest import sha256_of_text

_MOST_BYTES = 120
_UNSAFE = re.compile(r"[^\w.+ ()-]")


def file_stem(name: str) -> str:
    """A file name without suffix: letters, digits and `.+-_ ()` stay, `/` becomes `-`, else `_`.

    It never begins with a dot, and is never longer than a file system takes. Other names may have
    the same stem: see `FreeNames`.
    """
    plain = unicodedata.normalize("NFC", name).replace("/", "-").strip(" .-")
    safe = _UNSAFE.sub("_", plain).lstrip(".") or "sample"
    if len(safe.encode()) <= _MOST_BYTES:
        return safe
    short = safe.encode()[: _MOST_BYTES - 10].decode(errors="ignore")
    return f"{short}-{sha256_of_text(name)[:8]}"


class FreeNames:
    """Hands out each name once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def take(self, folder: str, name: str, suffix: str) -> Path:
        """A relative path that was not handed out before."""
        stem, number = file_stem(name), 1
        path = Path(file_stem(folder)) / f"{stem}{suffix}"
        while str(path).casefold() in self._used:
            number += 1
            path = path.with_name(f"{stem}_{number}{suffix}")
        self._used.add(str(path).casefold())
        return path
