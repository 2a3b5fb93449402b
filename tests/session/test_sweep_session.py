"""What a session does when its sweep is done."""

import json
from contextlib import closing

import pytest

from bearing_search.cli import main
from bearing_search.data.dataset import content_digest, load_data_set
from bearing_search.session.sweep_session import drop_intermediate_stages, with_data_compared
from bearing_search.session.terminal import terminal
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.eviction import list_entries
from bearing_search.stage_cache.key import StageKey
from bearing_search.sweep.status import has_reached_target

SPACES = {
    "encoders": "vary: {finetune.alternation_period: {int: [1, 10]}, seed: {int: [0, 9]}}",
    "detectors": "vary: {detector: {choice: [vitad, dinomaly]}}",
    "decoders": "vary: {seed: {int: [0, 9]}, decoder.lr: {float: [0.001, 0.002]}}",
    "maps": "vary: {seed: {int: [0, 9]}, postprocess.pool_px: {int: [8, 16]}}",
}
ONLY_ENCODERS = ("encoders", "maps")


def fill(folder, *trials):
    with closing(StageCache(folder.cache / "stages")) as cache:
        for number in trials:
            user = f"{folder.record.name}/trials/{number:05d}"
            for stage in ("tuning", "encoder", "detector", "distances"):
                with cache.claim(StageKey(stage, {"n": number}), user=user) as entry:
                    (entry.folder / "output").write_bytes(bytes(1000))
                    cache.finish(entry)


@pytest.mark.parametrize("space", SPACES)
def test_the_encoders_stay_that_another_trial_or_the_next_sweep_can_use(make_sweep, space):
    folder = make_sweep("one", [], space_text=f"# Which?\nbase: {{}}\n{SPACES[space]}\n", target=2)
    fill(folder, 0, 1)
    (folder.root / "end.json").write_text(json.dumps({"why": ""}))

    drop_intermediate_stages(folder, terminal(), chosen=[1])
    left = sorted(entry.name for entry in list_entries(folder.cache / "stages"))
    kept = (1,) if space in ONLY_ENCODERS else (0, 1)
    assert left == sorted(
        [StageKey("encoder", {"n": n}).name for n in kept]
        + [StageKey("distances", {"n": n}).name for n in (0, 1)]
    )


@pytest.mark.parametrize(
    ("content", "is_over"),
    [
        ({"why": ""}, True),
        ({"why": "stopped by signal"}, False),
        (None, False),
        ([], False),
        ({}, False),
    ],
)
def test_a_sweep_is_over_when_its_last_session_says_so(tmp_path, content, is_over):
    if content is not None:
        (tmp_path / "end.json").write_text(json.dumps(content))
    assert has_reached_target(tmp_path) is is_over
    assert has_reached_target(tmp_path / "deleted")


def test_data_that_changed_while_trials_ran_is_told_by_every_report(make_sweep, make_set, capsys):
    data = make_set()
    digest = content_digest(load_data_set(data).samples("train"))
    folder = make_sweep("one", [1.0, 2.0], data=str(data), data_digest=digest)
    assert with_data_compared(folder, terminal()) == folder

    picture = next(data.glob("plate/train/good/*.png"))
    picture.write_bytes(next(data.glob("plate/test/good/*.png")).read_bytes())
    changed = with_data_compared(folder, terminal())
    assert "has changed since the sweep began" in capsys.readouterr().err
    later = with_data_compared(changed, terminal())
    assert later.record.data_changed == changed.record.data_changed
    results = str(folder.root.parent)
    for command in (["status", "one"], ["compare", "one"]):
        assert main([*command, "--results", results]) == 0
        assert "DATA CHANGED while trials ran" in capsys.readouterr().out.replace("\n", " ")


def test_data_that_vanished_is_a_warning_for_its_trials_have_failed(make_sweep, tmp_path, capsys):
    folder = make_sweep("one", [1.0], data=str(tmp_path / "absent"))
    assert with_data_compared(folder, terminal()) == folder
    assert "the data can no longer be read" in capsys.readouterr().err
