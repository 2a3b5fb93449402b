import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
import yaml

from bearing_search import cli
from bearing_search.cli import main
from bearing_search.text.program import program

ROOT = Path(__file__).parents[2]


@pytest.fixture
def space(tmp_path, tiny_raw) -> Path:
    file = tmp_path / "space.yaml"
    file.write_text(yaml.safe_dump({"base": tiny_raw, "vary": {"seed": {"int": [0, 3]}}}))
    return file


@pytest.fixture
def attempt(tmp_path, space, capsys):
    """Runs `run` where it must be refused; returns the exit status and what stderr says."""

    def attempt(data: Path | str, *more: str, space_file: Path = space) -> tuple[int, str]:
        arguments = ["run", str(space_file), "--data", str(data), "--trials", "1"]
        results = [] if "--results" in more else ["--results", str(tmp_path / "results")]
        status = main([*arguments, *results, *more])
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert not (tmp_path / "results/space").exists()
        return status, lines[0]

    return attempt


def test_an_unknown_setting_is_named_with_the_closest_one(tmp_path, make_set, attempt):
    file = tmp_path / "typo.yaml"
    file.write_text("base: {}\nvary: {finetune.alternation_perod: {int: [1, 3]}}\n")
    status, says = attempt(make_set(), space_file=file)
    assert status == 2
    assert "did you mean finetune.alternation_period?" in says


def test_results_at_a_url_are_refused_instead_of_put_into_a_folder_of_that_name(make_set, attempt):
    status, says = attempt(make_set(), "--results", "s3://bucket/results")
    assert status == 5
    assert "is a URL; wanted a folder" in says
    assert not Path("s3:").exists()


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        (
            ["--storage", "sqlite:///{0}/x.db", "--tracking-uri", "sqlite:///{0}/./x.db"],
            2,
            "one",
        ),
        (["--storage", "sqlite:///{0}/results/mlflow.db"], 2, "name one database"),
        (["--tracking-uri", "sqlite:///{0}/results/space/ledger.db"], 2, "name one database"),
        (["--storage", "sqlite://"], 2, "names no file"),
        (["--storage", "sqlite:///{0}/none/x.db"], 6, "none is not a folder"),
        (["--storage", "postgresql://127.0.0.1:9/x"], 6, "the ledger cannot be used"),
        (["--storage", "nonsense"], 6, "the ledger cannot be used"),
        (["--storage", "postgresql://u:secret@127.0.0.1/x"], 2, "would store the password"),
    ],
)
def test_stores_that_cannot_be_used_are_refused_before_anything_is_written(
    tmp_path, make_set, attempt, given, status, says
):
    data = make_set()
    before = sorted(tmp_path.rglob("*"))
    arguments = [text.format(tmp_path) for text in given]
    found, line = attempt(data, "--name", "space", *arguments)
    assert found == status
    assert says in line
    assert "secret" not in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_space_that_does_not_exist_names_the_shipped_ones(make_set, attempt):
    status, says = attempt(make_set(), space_file=Path("wide-open"))
    assert status == 2
    shipped = sorted(file.stem for file in (ROOT / "search_spaces").glob("*.yaml"))
    assert {"demo", "paper", "smoke"} <= set(shipped)
    assert f"one of {', '.join(shipped)}" in says


def test_an_empty_or_wrong_folder(tmp_path, attempt):
    (tmp_path / "empty").mkdir()
    assert attempt(tmp_path / "empty")[0] == 3
    status, says = attempt(tmp_path / "nowhere")
    assert status == 3
    assert "not a folder" in says


def test_a_missing_level(make_set, attempt):
    data = make_set()
    next((data / "plate/train/good").glob("*_b1.png")).unlink()
    status, says = attempt(data)
    assert status == 3
    assert "brightness level 1 is missing" in says


def test_an_unreadable_image(make_set, attempt):
    data = make_set()
    file = sorted((data / "plate/train/good").glob("*_b1.png"))[0]
    file.write_bytes(file.read_bytes()[:200])
    status, says = attempt(data)
    assert status == 3
    assert file.name in says


def test_a_mask_of_another_size(make_set, attempt):
    data = make_set()
    mask = sorted((data / "plate/ground_truth/dent").glob("train_*"))[0]
    cv2.imwrite(str(mask), np.full((10, 10), 255, np.uint8))
    status, says = attempt(data)
    assert status == 3
    assert "is 10x10, but its images are 80x80" in says


def test_no_anomalous_validation_sample(make_set, attempt):
    status, says = attempt(make_set(train_defects=1))
    assert status == 3
    assert "1 anomalous group in train, but 2 folds" in says


@pytest.mark.slow  # a process of its own loads torch
def test_a_weights_file_that_is_missing_or_another_models(tmp_path, tiny_raw, make_set, attempt):
    import torch

    other = {"blocks.0.norm1.weight": torch.ones(3)}
    for name, content in (("none.pth", None), ("other.pth", other)):
        if content:
            torch.save(content, tmp_path / name)
        tiny_raw["encoder"]["weights"] = f"file:{tmp_path / name}"
        file = tmp_path / "weights.yaml"
        file.write_text(yaml.safe_dump({"base": tiny_raw, "vary": {"seed": {"int": [0, 3]}}}))
        status, says = attempt(make_set(), space_file=file)
        assert status == 4
        assert name in says


def test_a_results_folder_that_cannot_be_written(tmp_path, make_set, attempt):
    (tmp_path / "file").write_text("in the way")
    status, says = attempt(make_set(), "--results", str(tmp_path / "file/results"))
    assert status == 5
    assert "cannot be created" in says


def test_a_name_that_climbs_out_of_the_results_folder(make_set, attempt):
    status, says = attempt(make_set(), "--name", "../elsewhere")
    assert status == 2
    assert "is not a valid sweep name" in says


@pytest.mark.slow  # a process of its own loads torch
def test_an_unknown_block_is_refused_before_anything_starts(tmp_path, tiny_raw, make_set, attempt):
    file = tmp_path / "blocks.yaml"
    vary = {"finetune.ssim_layers": {"subset": [5, 6, 7], "empty": [6]}}
    file.write_text(yaml.safe_dump({"base": tiny_raw, "vary": vary}))
    status, says = attempt(make_set(), space_file=file)
    assert status == 2
    assert "block 7" in says


def test_an_unknown_sweep_names_those_that_exist(tmp_path, capsys):
    assert main(["resume", "none", "--results", str(tmp_path)]) == 6
    assert "no such sweep" in capsys.readouterr().err


@pytest.mark.slow  # a process of its own loads torch
def test_check_prints_axes_splits_and_starts_nothing(tmp_path, make_set, space, capsys):
    data = make_set(train_defects=0, levels=1)
    arguments = ["check", str(space), "--data", str(data), "--results", str(tmp_path / "results")]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "seed" in said
    assert "6 normal + 0 anomalous" in said
    assert "synthetic" in said
    assert not list((tmp_path / "results").glob("*/sweep.json"))


def test_train_runs_one_trial_without_ray_and_goes_on_in_the_same_folder(
    tmp_path, tiny_raw, make_set, capsys
):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(tiny_raw))
    arguments = ["train", str(config), "--data", str(make_set()), "--out", str(tmp_path / "one")]
    arguments += ["--results", str(tmp_path / "results"), "--device", "cpu"]
    assert main(arguments) == 0
    first = re.search(r"val/pixel_aupro (0\.\d{4})", capsys.readouterr().out)
    assert main(arguments) == 0
    assert re.search(r"val/pixel_aupro (0\.\d{4})", capsys.readouterr().out)[1] == first[1]
    assert json.loads((tmp_path / "one/config.json").read_text())["split"]["folds"] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["run", "--trials", "abc"], "Invalid value for '--trials'"),
        (["run", "--trials", "0"], "Invalid value for '--trials'"),
        (["run", "--pruner", "best"], "Invalid value for '--pruner'"),
        (["train"], "Missing argument 'config'"),
        (["run", "--nonsense"], "No such option: --nonsense"),
    ],
)
def test_a_slip_on_the_command_line_is_one_line_and_status_2(arguments, says, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["cache"]])
def test_no_command_at_all_shows_the_help_page(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: python -m bearing_search")


def commands() -> list[str]:
    group: Any = typer.main.get_command(cli.app)
    return sorted(group.commands)


@pytest.mark.parametrize("command", commands())
def test_readme_shows_every_command(command):
    assert f"python -m bearing_search {command}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("command", commands())
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert "Usage: python -m bearing_search" in capsys.readouterr().out


def test_the_driver_stays_small():
    code = "import bearing_search.cli, sys; print({'torch', 'timm'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_the_next_command_is_shown_with_the_interpreter_that_ran_this_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv/bin/python"))
    assert program() == ".venv/bin/python -m bearing_search"
    monkeypatch.setattr("shutil.which", lambda name: str(tmp_path / ".venv/bin" / name))
    assert program() == "python -m bearing_search"


def test_the_list_of_commands_says_what_each_help_page_begins_with():
    for name, command in cli.COMMANDS.items():
        first = command.load().help.partition("\n")[0]
        assert command.help == first, name


def test_the_version_is_the_installed_one(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"bearing_search {version('bearing_search')}\n"
