"""Files that are whole or absent, whatever is killed while they are written."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_atomically(file: Path, content: bytes) -> None:
    """Write under a temporary name, then rename: readers see the old file or the new one."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(file)


def write_json(file: Path, content: Any) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
    ) as stream:
        json.dump(content, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    Path(stream.name).chmod(0o644)
    Path(stream.name).replace(file)
