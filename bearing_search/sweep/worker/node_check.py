"""What another machine must have before a trial may run there: our code, the folders, the packages.

Asked of every node of a cluster before the first trial, and again by every worker: a node may join
later, or lose its shared folder. Imports nothing heavy.
"""

import hashlib
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bearing_search.sweep.record.provenance import package_versions

PACKAGE = Path(__file__).parents[2]
"""The source that runs here."""

STALE_S = 35.0
"""How long a network file system may show another machine's folder as it was before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeVersion:
    """What computes: two machines with an equal one give equal numbers, as far as code goes."""

    digest: str
    """Of the package's source files."""

    versions: Mapping[str, str]
    """Of the packages that can move a number; builds for other devices (`+cpu`) count as equal."""


def local_code_version() -> CodeVersion:
    """Of this process."""
    total = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        total.update(f"{file.relative_to(PACKAGE)}\n".encode())
        total.update(file.read_bytes())
    versions = {
        name: number.partition("+")[0]
        for name, number in package_versions().items()
        if name != "bearing_search"  # its source says more than its number
    }
    return CodeVersion(digest=total.hexdigest()[:16], versions=versions)


def node_incompatibility(
    *,
    sees_session: Callable[[], bool],
    blind: str,
    data: Path,
    code: CodeVersion | None,
) -> str:
    """Why this machine cannot run trials of a session, in one sentence; empty: it can.

    Args:
        sees_session: whether the driver's session is in sight. Asked for by name: a path of another
            machine may exist here, too, and be another folder.
        blind: what to say where it is not, after the name of the node.
        data: root of the data set.
        code: the driver's; None: the trial runs on the driver's machine, as the same code.
    """
    here = socket.gethostname()
    deadline = time.monotonic() + STALE_S
    while not (is_seen := sees_session()) and time.monotonic() < deadline:
        time.sleep(1)
    if not is_seen:
        return f"node {here} {blind}"
    if not data.is_dir():
        return f"node {here} does not see the data at {data}; all nodes need it under the same path"
    return "" if code is None else _code_difference(here, code)


def _code_difference(here: str, code: CodeVersion) -> str:
    own = local_code_version()
    for name, wanted in code.versions.items():
        if (found := own.versions.get(name)) != wanted:
            return f"node {here} has {name} {found or '(none)'}, the driver {wanted}; install that"
    if own.digest != code.digest:
        return (
            f"node {here} runs other code of bearing_search than the driver (digest {own.digest} "
            f"at {PACKAGE}, not {code.digest}); take it off the node's PYTHONPATH"
        )
    return ""
