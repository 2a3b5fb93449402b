"""Options that several commands share, and how a space or a data set is found by name."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import bearing_search
from bearing_search.errors import ConfigError, ResourceError

DEMO = "demo"
"""Stands for the rendered demo data where a folder is expected, and names the default space."""

Results = Annotated[
    Path, typer.Option(help="Folder of all sweeps, of MLflow's database and of the cache.")
]
Data = Annotated[
    str, typer.Option(help="Folder of the data set, or `demo` for the rendered demo data.")
]
NoSharing = Annotated[
    bool, typer.Option("--no-sharing", help="Compute every stage, whatever other trials have left.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def terminal(*, stderr: bool = False) -> Console:
    """Where a command talks to people: no markup, no colours of its own, no broken lines."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160  # a file or a pipe has no width of its own
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, width=width)


def program() -> str:
    """How this program is called from the user's shell: with the interpreter that runs it now."""
    python = Path(sys.executable)
    found = shutil.which(python.name)
    if found is not None and Path(found) == python:
        return f"{python.name} -m bearing_search"
    is_near = python.is_relative_to(Path.cwd())
    return f"{python.relative_to(Path.cwd()) if is_near else python} -m bearing_search"


def find_space(name: str) -> Path:
    """A search space by path, or by the bare name of a shipped one.

    Raises:
        ConfigError: neither; the shipped ones are named.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = {
        file.stem: file
        for folder in (_shipped_spaces(), Path.cwd() / "search_spaces")
        for file in sorted(folder.glob("*.yaml"))
    }
    if name in shipped:
        return shipped[name]
    raise ConfigError(
        f"{name}: no such search space; wanted a file, or one of {', '.join(shipped) or 'none'}"
    )


def _shipped_spaces() -> Path:
    """Folder of the shipped spaces: inside an installed package (`setup.py`), beside a checkout's.

    A path, not a resource: messages about a space name its file.
    """
    package = Path(bearing_search.__file__).parent
    installed = package / "shipped_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def writable_results(results: Path) -> Path:
    """The results folder, absolute, made if missing.

    Raises:
        ResourceError: it is a URL, or cannot be written.
    """
    if re.match(r"[a-z][a-z0-9+.\-]+:/", str(results)):
        raise ResourceError(
            f"{results}: is a URL; wanted a folder, which trials lock and write checkpoints into "
            "(docs/clusters.md). Search in a folder and copy it there afterwards, or mount it"
        )
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{results}: cannot be made ({error.strerror})") from None
    if not os.access(results, os.W_OK | os.X_OK):
        raise ResourceError(f"{results}: is not writable; choose another --results folder.")
    return results.resolve()
