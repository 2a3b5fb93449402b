"""`evaluate --leave-kind-out`: one more training per kind, without opening test."""

import json

import pytest
import yaml

from bearing_search.cli import main
from bearing_search.config import to_plain
from bearing_search.data.dataset import load_data_set
from bearing_search.filesystem.atomic import write_json
from bearing_search.session.inputs import train_digest


@pytest.fixture
def two_kinds(make_set):
    """A data set whose training defects are two dents and two scratches; test is rubbish."""
    root = make_set(levels=1)
    for number in (2, 3):
        for folder, name in (
            ("train", f"train_s{number}.png"),
            ("ground_truth", f"train_s{number}_mask.png"),
        ):
            target = root / "plate" / folder / "scratch"
            target.mkdir(exist_ok=True)
            (root / "plate" / folder / "dent" / name).rename(target / name)
    for file in root.glob("plate/test/*/*.png"):
        file.write_bytes(b"sealed")
    return root


@pytest.fixture
def sweep_on(two_kinds, make_sweep, tiny_raw):
    def sweep_on(**finetune):
        tiny_raw["finetune"] |= {"epochs": 2, "batch_size": 2, **finetune}
        space = {"base": tiny_raw, "vary": {"seed": {"int": [0, 9]}}}
        folder = make_sweep(
            "first",
            [1.0],
            space_text="# Which seed?\n" + yaml.safe_dump(space),
            data=str(two_kinds),
            data_digest=train_digest(load_data_set(two_kinds)),
        )
        return folder, ["evaluate", "first", "--results", str(folder.root.parent)]

    return sweep_on


@pytest.mark.slow  # trains once per kind
def test_each_kind_is_trained_without_and_test_stays_sealed(sweep_on, capsys):
    folder, command = sweep_on()
    assert main([*command, "--device", "cpu", "--leave-kind-out"]) == 0
    said = capsys.readouterr().out
    assert "2 trainings, each about as long as a fold of the search" in said
    assert "| plate | dent | 2 | " in said
    found = json.loads((folder.root / "evaluate/unseen_kinds.json").read_text())
    assert [(row["part"], row["kind"], row["unseen"]["samples"]) for row in found["kinds"]] == [
        ("plate", "dent", 2),
        ("plate", "scratch", 2),
    ]
    assert 0 <= found["kinds"][0]["unseen"]["image_auroc"]["value"] <= 1
    assert not (folder.root / "evaluate/evaluation.json").exists()


def test_a_frozen_setting_has_learned_from_no_kind(sweep_on, capsys):
    folder, command = sweep_on(epochs=0, reconstruction_only_epochs=0)
    write_json(folder.trial_folder(0) / "config.json", to_plain(folder.space().trial({"seed": 0})))
    assert main([*command, "--leave-kind-out"]) == 6
    assert "every kind is unseen in its folds already" in capsys.readouterr().err
