"""Versions and commit of the code that runs."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("bearing_search", "torch", "timm", "numpy", "opencv-python-headless", "ray", "optuna")


def package_versions() -> dict[str, str]:
    """Versions of the packages that can move a number."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str:
    """Commit of the checkout that this package runs from; empty: none.

    A `+` follows where anything in the package differs from it: changed, new or deleted files.
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
        # an installed package may lie inside somebody else's checkout
        git("ls-files", "--error-unmatch", "--", module.name)
        commit = git("rev-parse", "HEAD")
        changes = git("status", "--porcelain", "--untracked-files=normal", "--", ".")
        return commit + ("+" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return ""
