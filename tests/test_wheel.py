"""The installed package, where no checkout is near."""

import os
import shutil
import subprocess
import sys
import sysconfig
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


def called(*command: str | Path, where: Path, timeout: float = 120):
    """A command that runs where no checkout is near; it may refuse what it is asked."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        command, cwd=where, env=env, capture_output=True, text=True, timeout=timeout
    )
    assert run.returncode in (0, 2), run.stderr
    return run


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A new environment with the wheel that was built from the sdist.

    Its dependencies are those of the environment that runs the tests. That they can be installed
    from nothing is what `.ci/run` begins with.
    """
    tmp = tmp_path_factory.mktemp("wheel")
    source, environment = tmp / "source", tmp / "environment"
    for name in BUILT_FROM:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUILT_BY:
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    called(sys.executable, "-c", build, tmp, where=source)
    [sdist] = tmp.glob("*.tar.gz")
    alone = ("--no-deps", "--no-index")
    called(*PIP, "wheel", *alone, "--no-build-isolation", "--wheel-dir", tmp, sdist, where=tmp)
    shutil.rmtree(source)
    [wheel] = tmp.glob("*.whl")
    called(sys.executable, "-m", "venv", "--without-pip", environment, where=tmp)
    called(*PIP, "--python", environment / "bin/python", "install", *alone, wheel, where=tmp)
    # a path file adds the folder, but not what path files in it add: the editable install
    (site_of(environment) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def site_of(environment: Path) -> Path:
    [site] = environment.glob("lib/python*/site-packages")
    return site


@pytest.mark.slow  # builds; a process of its own loads torch
def test_a_wheel_holds_the_package_and_the_shipped_spaces_and_takes_no_other_name(installed):
    ours = {path.name for path in site_of(installed).iterdir()}
    assert ours == {"bearing_search", "bearing_search-0.1.0.dist-info", "dependencies.pth"}
    package = site_of(installed) / "bearing_search"
    shipped = {file.name: file.read_bytes() for file in (package / "shipped_spaces").iterdir()}
    assert shipped == SPACES
    assert (package / "py.typed").exists()
    modules = [
        {file.relative_to(folder) for file in folder.rglob("*.py")}
        for folder in (package, ROOT / "bearing_search")
    ]
    assert modules[0] == modules[1]


@pytest.mark.slow  # as above
def test_the_installed_commands_run_from_any_folder(installed, tmp_path):
    python, script = installed / "bin/python", installed / "bin/bearing-search"
    where = {"where": tmp_path}
    found = called(python, "-c", "import bearing_search as b; print(b.__file__)", **where)
    assert Path(found.stdout.strip()).is_relative_to(installed)

    unknown = called(python, "-m", "bearing_search", "check", "no-such", **where)
    assert unknown.returncode == 2
    listed = ", ".join(sorted(Path(name).stem for name in SPACES))
    assert f"one of {listed}, or the folder" in unknown.stderr

    # the weights of `paper` come from a hub
    for command in (["check", "paper", "--no-weights"], ["check", "smoke"]):
        checked = called(script, *command, **where)
        assert "all is well; nothing was started" in checked.stdout
    assert called(script, "demo-data", "rendered", **where).returncode == 0
    assert (tmp_path / "rendered/LC/train/good").is_dir()
    searched = called(
        script,
        *("run", "smoke", "--data", "rendered", "--trials", "2", "--name", "first"),
        **where,
        timeout=900,
    )
    assert searched.returncode == 0
    assert "To use, of 2 complete settings" in searched.stdout
    assert (tmp_path / "results/first/report.md").exists()


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
