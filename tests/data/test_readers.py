"""The table of data readers: tried in its order, and named where none knows a folder."""

import pytest

from bearing_search.data.dataset import load_data_set
from bearing_search.data.readers import DATA_READERS, reader_of
from bearing_search.errors import DataError


def test_a_manifest_wins_over_folders_of_parts(make_set):
    root = make_set()
    assert reader_of(root) == "folders"
    (root / "manifest.csv").touch()
    assert reader_of(root) == "manifest"


def test_a_folder_that_no_reader_knows_names_what_all_of_them_look_for(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert reader_of(tmp_path) is None
    with pytest.raises(DataError, match="no images found") as raised:
        load_data_set(tmp_path)
    for reader in DATA_READERS.values():
        assert reader.wanted in str(raised.value)
    assert "found notes.txt" in str(raised.value)


def test_a_layout_that_is_recognised_and_empty_names_its_own_wish(tmp_path):
    (tmp_path / "LC/train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no images found; wanted <part>/train/good/.*found LC"):
        load_data_set(tmp_path)
