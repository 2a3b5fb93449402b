"""Versions and git commit of the running code."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("bearing_search", "torch", "timm", "numpy", "opencv-python-headless", "ray", "optuna")


def package_versions() -> dict[str, str]:
    """Name -> version of the packages that can affect the numbers."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str:
    """Git commit of the checkout that this package runs from; empty: none.

    A `+` is appended if the package differs from it: changed, new or deleted files.
    """
    module = (Path(__file__).parents[2] / "__init__.py").resolve()

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(module.parent), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        # an installed package may be inside an unrelated checkout
        git("ls-files", "--error-unmatch", "--", module.name)
        commit = git("rev-parse", "HEAD")
        changes = git("status", "--porcelain", "--untracked-files=normal", "--", ".")
        return commit + ("+" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return ""
