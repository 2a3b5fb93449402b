"""How this program is called from a shell, in commands that are shown to the user."""

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Command that runs this program from the user's shell with the current interpreter."""
    python = Path(sys.executable)
    found = shutil.which(python.name)
    if found is not None and Path(found) == python:
        return f"{shlex.quote(python.name)} -m bearing_search"
    is_near = python.is_relative_to(Path.cwd())
    shown = python.relative_to(Path.cwd()) if is_near else python
    return f"{shlex.quote(str(shown))} -m bearing_search"
