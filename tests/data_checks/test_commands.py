"""`check`, and what the commands that use data do about leaks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from bearing_search.cli import main
from bearing_search.config import TrialConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import LeakError
from bearing_search.session.leak_gate import refuse_leaks
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.sweep_folder import create_sweep, load_sweep
from bearing_search.sweep.record.allowed_leak import AllowedLeak
from bearing_search.sweep.record.sweep_record import SweepRecord

from .conftest import plate, write


@pytest.fixture
def leaky(plates):
    root = plates(name="leaky")
    write(root / "lid", "test", "copy", np.ascontiguousarray(plate(4)[:, ::-1]))
    return root


@pytest.fixture
def check(tmp_path, capsys):
    def check(*arguments) -> tuple[int, str]:
        status = main(["check", *map(str, arguments), "--results", str(tmp_path / "results")])
        caught = capsys.readouterr()
        return status, caught.out + caught.err

    return check


def test_a_clean_folder_has_a_line_for_its_part_and_status_0(plates, check):
    status, said = check(plates())
    assert status == 0
    assert "6 normal + 0 anomalous" in said
    assert "all is well" in said
    assert "test has 3 normals: zero false alarms still allows 63 % overkill" in said


def test_a_leak_is_shown_with_its_picture_and_status_8(leaky, check):
    status, said = check(leaky)
    assert status == 8
    assert "lid/test/good/copy and lid/train/good/s4: one photograph, mirrored" in said
    assert cv2.imread(said.split("side by side: ")[1].split()[0]) is not None
    assert "all is well" not in said


def test_unusable_data_is_status_3_and_goes_before_leaks(leaky, check):
    write(leaky / "lid", "train", "d0", plate(40), kind="dent")
    masks = leaky / "lid/ground_truth/dent"
    masks.mkdir(parents=True)
    cv2.imwrite(str(masks / "d0_mask.png"), np.full((160, 160), 255, np.uint8))
    status, said = check(leaky)
    assert status == 3
    assert "1 anomalous group in train, but 2 folds" in said
    assert "one photograph" in said


def test_as_json_for_programs(leaky, check, capsys, tmp_path):
    assert main(["check", str(leaky), "--json", "--results", str(tmp_path / "results")]) == 8
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == 8
    assert told["data"]["parts"][0]["counts"]["train_normal"] == 6
    leaks = [found for found in told["data"]["findings"] if found["severity"] == "leak"]
    assert leaks[0]["samples"] == ["lid/test/good/copy", "lid/train/good/s4"]


def test_a_space_with_data_is_checked_with_both(leaky, plates, check, tmp_path, tiny_raw):
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump({"base": tiny_raw, "vary": {"seed": {"int": [0, 3]}}}))
    status, said = check(space, "--data", leaky, "--no-weights")
    assert status == 8
    assert "trial 0" in said
    assert "one photograph" in said
    status, said = check(space, "--data", plates(), "--no-weights")
    assert status == 0
    assert "iterations of the decoder's cost" in said
    status, said = check(space, "--no-weights")
    assert status == 0
    assert "digest of train" not in said


def test_two_data_sets_or_none_of_the_name(plates, check, tmp_path):
    assert check(plates(), "--data", tmp_path)[0] == 2
    status, said = check("nowhere")
    assert status == 2
    assert "no such search space" in said
    assert "or the folder of a data set" in said


@pytest.mark.parametrize("command", ["run", "train"])
def test_what_uses_data_refuses_a_leak_in_one_line(leaky, command, tmp_path, tiny_raw, capsys):
    tiny_raw["split"] = {"folds": 2}
    space = {"base": tiny_raw, "vary": {"seed": {"int": [0, 3]}}}
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump(space if command == "run" else tiny_raw))
    results = tmp_path / "results"

    status = main([command, str(file), "--data", str(leaky), "--results", str(results)])

    assert status == 8
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: lid/test/good/copy and lid/train/good/s4: one photograph")
    assert "--allow-leak REASON" in line
    assert list(results.glob("check/leaks-*.png"))
    assert not list(results.glob("*/sweep.json"))


def test_a_leak_is_allowed_for_a_reason_that_is_kept(leaky, tmp_path, capsys):
    data_set = load_data_set(leaky)
    allowed = refuse_leaks(
        data_set, [TrialConfig()], tmp_path, terminal(), reason="a test of the rig"
    )
    assert allowed is not None
    shown = capsys.readouterr()
    assert "Reason given: a test of the rig." in shown.err
    assert shown.out == ""

    # what was allowed once is known; what came since is not
    assert refuse_leaks(data_set, [TrialConfig()], tmp_path, terminal(), known=allowed) == allowed
    write(leaky / "lid", "test", "more", np.ascontiguousarray(plate(1)[::-1]))
    with pytest.raises(LeakError, match="2 leaks"):
        refuse_leaks(load_data_set(leaky), [TrialConfig()], tmp_path, terminal(), known=allowed)


def test_a_part_that_is_not_searched_may_leak(leaky, plates, tmp_path):
    for split, first in (("train", 200), ("test", 300)):
        for seed in range(first, first + 3):
            write(leaky / "cap", split, f"c{seed}", plate(seed))
    assert (
        refuse_leaks(load_data_set(leaky), [TrialConfig(parts=("cap",))], tmp_path, terminal())
        is None
    )


def test_parts_leak_into_each_other_where_one_model_learns_from_all(leaky, tmp_path):
    write(leaky / "cap", "train", "c", plate(200))
    write(leaky / "cap", "test", "turned", np.ascontiguousarray(np.rot90(plate(0))))
    (leaky / "lid/test/good/copy.png").unlink()
    data_set = load_data_set(leaky)
    assert refuse_leaks(data_set, [TrialConfig()], tmp_path, terminal()) is None
    with pytest.raises(LeakError, match="cap/test/good/turned and lid/train/good/s0"):
        refuse_leaks(data_set, [TrialConfig(scope="multi_part")], tmp_path, terminal())


def test_every_page_of_a_sweep_tells_what_was_allowed(tmp_path, capsys):
    allowed = AllowedLeak(reason="the only data there is", leaks=("a and b: one photograph",))
    record = SweepRecord(
        name="s", space_text="base: {}\nvary: {seed: {int: [0, 3]}}", data="/d", data_digest="0",
        target=1, allowed_leak=allowed,
    )  # fmt: skip
    create_sweep(tmp_path, record)

    folder = load_sweep(tmp_path, "s")
    assert folder.record.allowed_leak == allowed
    assert main(["status", "s", "--results", str(tmp_path)]) == 0
    assert "LEAK ALLOWED" in capsys.readouterr().out
    (note,) = folder.record.notes
    assert "a and b: one photograph" in note
    assert "the only data there is" in note

    kept = folder.with_allowed_leak(AllowedLeak(reason="another", leaks=("c",)))
    assert load_sweep(tmp_path, "s").record == kept.record


def test_a_check_is_no_sweep(tmp_path):
    assert main(["run", "smoke", "--name", "check", "--results", str(tmp_path)]) == 2
    assert not Path(tmp_path / "check").exists()
