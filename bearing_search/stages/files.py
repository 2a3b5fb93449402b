"""Files that are whole or absent, whatever is killed while they are written."""

import os
from pathlib import Path


def write_atomically(file: Path, content: bytes) -> None:
    """Write under a temporary name, then rename: readers see the old file or the new one."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(file)
