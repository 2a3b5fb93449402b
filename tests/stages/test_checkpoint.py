import json

import torch

from bearing_search.stages.checkpoint import Checkpoint


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
    (tmp_path / "decode.123.tmp").write_bytes(b"half")
    assert Checkpoint(tmp_path, "decode").iteration == 3
