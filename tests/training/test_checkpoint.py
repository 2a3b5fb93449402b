import errno
import json
from contextlib import closing
from pathlib import Path

import pytest
import torch

from bearing_search.filesystem import atomic
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.key import StageKey
from bearing_search.training.checkpoint import Checkpoint


def test_a_stage_goes_on_from_what_it_saved(tmp_path):
    first = Checkpoint(tmp_path, "decode")
    assert (first.iteration, first.history, first.state) == (0, [], None)
    first.started()
    first.history.append({"loss": 0.5})
    first.save(7, {"weights": torch.ones(2), "losses": [1.0]})

    second = Checkpoint(tmp_path, "decode")
    assert (second.iteration, second.history) == (7, [{"loss": 0.5}])
    assert second.state["weights"].tolist() == [1, 1]
    assert not second.is_finished
    second.started()
    second.finish(9, {"weights": torch.zeros(2)})

    assert Checkpoint(tmp_path, "decode").is_finished
    events = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [(e["event"], e["iteration"]) for e in events] == [
        ("start", 0),
        ("save", 7),
        ("start", 7),
        ("finish", 9),
    ]


def test_saving_never_takes_more_than_its_share_of_the_time(tmp_path):
    checkpoint = Checkpoint(tmp_path, "decode", overhead=0.03)
    checkpoint.save_if_due(1, lambda: {})
    assert not (tmp_path / "decode.pt").exists()  # nothing has run for long enough
    generous = Checkpoint(tmp_path, "decode", overhead=1e9)
    generous.save_if_due(1, lambda: {})
    assert Checkpoint(tmp_path, "decode").iteration == 1


def test_a_half_written_file_is_never_read(tmp_path):
    Checkpoint(tmp_path, "decode").save(3, {})
    (tmp_path / ".decode.pt.123.tmp").write_bytes(b"half")
    assert Checkpoint(tmp_path, "decode").iteration == 3


@pytest.fixture
def full_once(monkeypatch):
    """Makes the next file that is written in a folder meet a full disk."""
    named = atomic._temporary_name

    def fill(folder: Path) -> None:
        full = folder / ".full.tmp"
        full.symlink_to("/dev/full")  # removed by the failure
        monkeypatch.setattr(
            atomic, "_temporary_name", lambda file: full if full.is_symlink() else named(file)
        )

    return fill


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_as_such(tmp_path, full_once):
    full_once(tmp_path)
    with pytest.raises(OSError, match="No space left") as caught:
        Checkpoint(tmp_path, "decode").save(1, {"weights": torch.ones(100_000)})
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_where_the_disk_is_full_old_outputs_make_room(tmp_path, full_once):
    with (
        closing(StageCache(tmp_path)) as before,
        before.claim(StageKey("encoder", {"n": 1}), user="a") as old,
    ):
        before.finish(old)
    with closing(StageCache(tmp_path)) as store:
        with store.claim(StageKey("encoder", {"n": 2}), user="b") as entry:
            checkpoint = Checkpoint(entry.folder, "finetune", write=store.with_room)
            full_once(entry.folder)
            checkpoint.save(1, {"weights": torch.ones(100_000)})
        assert not old.folder.exists()
        assert Checkpoint(entry.folder.with_name("work.free"), "finetune").iteration == 1
