"""Checks that a machine can run trials: same code and packages, and access to the folders.

Runs on every node of a cluster before the first trial, and again in every worker: a node may join
later or lose its shared folder. Imports nothing heavy.
"""

import hashlib
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bearing_search.sweep.record.provenance import package_versions

PACKAGE = Path(__file__).parents[2]
"""Folder of the package's source that this process runs."""

STALE_S = 35.0
"""Seconds for which a network file system may show a stale view of another machine's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeVersion:
    """Version of the code: machines with equal ones give equal numbers, as far as code goes."""

    digest: str
    """Digest of the package's source files."""

    versions: Mapping[str, str]
    """Versions of packages that affect the numbers, without the device build (`+cpu`)."""


def local_code_version() -> CodeVersion:
    """The code version of this process."""
    total = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        total.update(f"{file.relative_to(PACKAGE)}\n".encode())
        total.update(file.read_bytes())
    versions = {
        name: number.partition("+")[0]
        for name, number in package_versions().items()
        if name != "bearing_search"  # the source digest is more precise
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
        sees_session: returns whether the driver's session is visible. It is looked up by name,
            since the driver's path may exist here as well, but be a different folder.
        blind: message if it is not visible, to follow the name of the node.
        data: root of the data set.
        code: the driver's code version; None: not compared, the trial runs on the driver's machine.
    """
    here = socket.gethostname()
    deadline = time.monotonic() + STALE_S
    while not (is_seen := sees_session()) and time.monotonic() < deadline:
        time.sleep(1)
    if not is_seen:
        return f"node {here} {blind}"
    if not data.is_dir():
        return f"node {here} cannot find the data at {data}; all nodes need it under the same path"
    return "" if code is None else _code_difference(here, code)


def _code_difference(here: str, code: CodeVersion) -> str:
    own = local_code_version()
    for name, wanted in code.versions.items():
        if (found := own.versions.get(name)) != wanted:
            return f"node {here} has {name} {found or '(none)'}, the driver {wanted}; install it"
    if own.digest != code.digest:
        return (
            f"node {here} runs different bearing_search code than the driver (digest {own.digest} "
            f"at {PACKAGE}, not {code.digest}); remove it from the node's PYTHONPATH"
        )
    return ""
