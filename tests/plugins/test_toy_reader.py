"""A data reader from outside the package reads a layout that the package does not know."""

import json

import pytest

from bearing_search.cli import main
from bearing_search.data.dataset import content_digest, load_data_set
from bearing_search.data.readers import reader_of
from bearing_search.errors import DataError


def test_it_gives_the_same_samples_in_the_same_order_as_the_folders(
    make_set, make_index, toy_reader
):
    folders = make_set(parts=("plate", "disc"))
    index = make_index(folders)
    ours, theirs = load_data_set(index).all_samples, load_data_set(folders).all_samples

    assert (reader_of(index), reader_of(folders)) == ("index", "folders")
    assert [one.title for one in ours] == [one.title for one in theirs]
    assert content_digest(ours) == content_digest(theirs)


def test_what_holds_for_every_layout_is_checked_for_it(make_set, make_index, toy_reader):
    root = make_index(make_set())
    entries = json.loads((root / "index.json").read_text())

    def refusal(changed):
        (root / "index.json").write_text(json.dumps(changed))
        with pytest.raises(DataError) as raised:
            load_data_set(root)
        return str(raised.value)

    assert "plate/train/dent/train_s1 twice" in refusal(
        [one | {"name": "train_s1"} if one["name"] == "train_s0" else one for one in entries]
    )
    assert "'../x' is not a valid part name" in refusal([one | {"part": "../x"} for one in entries])
    assert "no images found; wanted index.json, found 0_0.png" in refusal([])
    assert "has no brightness level" in refusal([one | {"pictures": []} for one in entries])


def test_check_looks_at_such_a_data_set_and_without_the_reader_at_none(
    make_set, make_index, toy_reader, tmp_path, monkeypatch, capsys
):
    root = make_index(make_set())
    command = ["check", str(root), "--results", str(tmp_path / "results")]
    assert main(command) == 0
    assert "plate" in capsys.readouterr().out

    monkeypatch.delitem(toy_reader.DATA_READERS, "index")
    assert main(command) == 3
    assert "wanted manifest.csv or <part>/train/good/" in capsys.readouterr().err
