"""The installed package, where no checkout is near."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bearing_search
from bearing_search.search_space import shipped
from bearing_search.search_space.shipped import find_space

ROOT = Path(__file__).parents[1]
SPACES = {file.name: file.read_bytes() for file in (ROOT / "search_spaces").iterdir()}
BUILT_FROM = ("bearing_search", "search_spaces", "docs")
BUILT_BY = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir")


def called(*command: str | Path, where: Path, path: Path | None = None):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        command,
        cwd=where,
        env=env if path is None else env | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode in (0, 2), run.stderr
    return run


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which the wheel was installed that was built from the sdist."""
    tmp = tmp_path_factory.mktemp("wheel")
    source, site = tmp / "source", tmp / "site"
    for name in BUILT_FROM:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUILT_BY:
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    called(sys.executable, "-c", build, tmp, where=source)
    [sdist] = tmp.glob("*.tar.gz")
    alone = ("--no-deps", "--no-index")
    called(*PIP, "wheel", *alone, "--no-build-isolation", "--wheel-dir", tmp, sdist, where=tmp)
    [wheel] = tmp.glob("*.whl")
    called(*PIP, "install", *alone, "--target", site, wheel, where=tmp)
    return site


@pytest.mark.slow  # builds; a process of its own loads torch
def test_a_wheel_holds_the_package_and_the_shipped_spaces_and_takes_no_other_name(installed):
    names = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert names == {"bearing_search", "bin"}
    package = installed / "bearing_search"
    shipped = {file.name: file.read_bytes() for file in (package / "shipped_spaces").iterdir()}
    assert shipped == SPACES
    modules = [
        {file.relative_to(folder) for file in folder.rglob("*.py")}
        for folder in (package, ROOT / "bearing_search")
    ]
    assert modules[0] == modules[1]


@pytest.mark.slow  # as above
def test_the_installed_commands_find_the_shipped_spaces_from_any_folder(installed, tmp_path):
    where = {"where": tmp_path, "path": installed}
    found = called(sys.executable, "-c", "import bearing_search as b; print(b.__file__)", **where)
    assert Path(found.stdout.strip()).is_relative_to(installed)

    unknown = called(sys.executable, "-m", "bearing_search", "check", "no-such", **where)
    assert unknown.returncode == 2
    listed = ", ".join(sorted(Path(name).stem for name in SPACES))
    assert f"one of {listed}, or the folder" in unknown.stderr

    script = installed / "bin" / "bearing-search"
    checked = called(script, "check", "smoke", "--no-weights", **where)
    assert checked.returncode == 0, checked.stderr
    assert "all is well; nothing was started" in checked.stdout


def test_spaces_of_a_checkout_are_those_beside_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    beside = Path(bearing_search.__file__).parents[1] / "search_spaces"
    assert find_space("smoke") == beside / "smoke.yaml"


def test_spaces_of_an_installed_package_are_those_in_it(tmp_path, monkeypatch):
    package = tmp_path / "bearing_search"
    for folder in (package / "shipped_spaces", tmp_path / "search_spaces"):
        folder.mkdir(parents=True)
        (folder / "smoke.yaml").touch()
    monkeypatch.chdir(package)
    monkeypatch.setattr(shipped, "__file__", str(package / "search_space/shipped.py"))
    assert find_space("smoke") == package / "shipped_spaces/smoke.yaml"
