import json
import subprocess
import sys

import pytest

import bearing_search
from bearing_search.cli import COMMANDS

HEAVY = {"torch", "ray", "mlflow", "optuna", "cv2", "scipy", "matplotlib", "pandas", "numpy"}


def loaded_by(code):
    """Top-level modules that a fresh process has loaded after the code."""
    ask = "import json, sys; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ask}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_public_name_is_there_and_documented():
    for name in bearing_search.__all__:
        assert getattr(bearing_search, name) is not None
        assert name in dir(bearing_search)
    for name in set(bearing_search.__all__) - {"__version__"}:
        assert getattr(bearing_search, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'run_serach'"):
        bearing_search.run_serach  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import bearing_search").isdisjoint(HEAVY | {"pydantic", "typer", "rich"})


def run_of(*command_lines):
    """Code that runs commands, each of which must succeed."""
    runs = "; ".join(f"assert not main({list(line)})" for line in command_lines)
    return f"from bearing_search.cli import main; {runs}"


def test_help_and_version_load_nothing_heavy():
    found = loaded_by(run_of(["--help"], ["--version"]))
    assert "typer" in found
    assert found.isdisjoint(HEAVY | {"pydantic", "rich"})


def test_the_help_page_of_no_command_loads_anything_heavy():
    found = loaded_by(run_of(*([command, "--help"] for command in COMMANDS)))
    assert found.isdisjoint(HEAVY - {"numpy"})


def test_status_loads_neither_torch_nor_ray_nor_mlflow(make_sweep):
    folder = make_sweep("first", [0.5])
    found = loaded_by(run_of(["status", "first", "--results", str(folder.root.parent)]))
    assert "optuna" in found
    assert found.isdisjoint(HEAVY - {"numpy", "optuna"})


def test_checking_a_space_loads_neither_torch_nor_ray_nor_mlflow():
    found = loaded_by(run_of(["check", "paper", "--no-weights"]))
    assert found.isdisjoint(HEAVY - {"numpy"})
