import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bearing_search

PACKAGE = Path(bearing_search.__file__).parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
ASK = "from bearing_search.sweep.record.provenance import git_commit; print(git_commit())"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(checkout: Path, *arguments: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    run = subprocess.run(
        ["git", *author, *arguments],
        cwd=checkout,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def copy_package(folder: Path) -> Path:
    return Path(
        shutil.copytree(
            PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")
        )
    )


def commit_all(checkout: Path) -> str:
    git(checkout, "init", "--quiet")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "all")
    return git(checkout, "rev-parse", "HEAD")


def found_by(package: Path) -> str:
    """What the package at this place takes for its commit."""
    run = subprocess.run(
        [sys.executable, "-B", "-c", ASK],
        cwd=package.parent,
        env=ENVIRONMENT | {"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A clone, so that what is tested is git as people have it."""
    origin = tmp_path_factory.mktemp("origin")
    copy_package(origin)
    (origin / "README.md").write_text("A ring.\n")
    (origin / ".gitignore").write_text("__pycache__/\n.venv/\n")
    commit_all(origin)
    clone = tmp_path_factory.mktemp("work") / "clone"
    git(origin, "clone", "--quiet", str(origin), str(clone))
    return clone


@pytest.fixture
def clean(checkout) -> Path:
    git(checkout, "reset", "--quiet", "--hard")
    git(checkout, "clean", "--quiet", "-ffdx")
    return checkout


def test_what_is_as_committed_has_its_commit_whatever_lies_beside_the_package(clean):
    (clean / "README.md").write_text("Another ring.\n")
    (clean / "notes.txt").write_text("Here.\n")
    assert found_by(clean / PACKAGE.name) == git(clean, "rev-parse", "HEAD")


@pytest.mark.parametrize("change", ["edit", "stage", "add", "delete"])
def test_a_change_anywhere_in_the_package_is_marked(clean, change):
    optim = clean / PACKAGE.name / "models/optim.py"
    match change:
        case "edit" | "stage":
            optim.write_text(optim.read_text() + "\nEPS = 1\n")
        case "add":
            (optim.parent / "detectors/flow.py").write_text("X = 1\n")
        case "delete":
            optim.unlink()
    if change == "stage":
        git(clean, "add", ".")
    assert found_by(clean / PACKAGE.name) == git(clean, "rev-parse", "HEAD") + "+"


def test_new_files_count_where_git_is_told_to_hide_them(clean):
    git(clean, "config", "status.showUntrackedFiles", "no")
    (clean / PACKAGE.name / "models/flow.py").write_text("X = 1\n")
    assert found_by(clean / PACKAGE.name).endswith("+")


@pytest.mark.parametrize("folder", [".venv/lib/site-packages", "vendored"])
def test_an_installed_package_in_somebody_elses_checkout_has_no_commit(clean, folder):
    """Ignored, or just not committed there."""
    (clean / folder).mkdir(parents=True)
    assert found_by(copy_package(clean / folder)) == ""


def test_outside_any_checkout_there_is_no_commit(tmp_path):
    assert found_by(copy_package(tmp_path)) == ""
