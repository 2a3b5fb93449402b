import importlib
import json
import shutil
from pathlib import Path

import pytest

from bearing_search.data.dataset import load_data_set
from bearing_search.data.readers import DATA_READERS


@pytest.fixture
def toy_reader(monkeypatch):
    """The module of a data reader from outside the package, which is in the table meanwhile."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    module = importlib.import_module("toy_reader")
    spec = module.DataReader(
        wanted=module.INDEX, recognises=module.has_index, read=module.samples_of_index
    )
    DATA_READERS.pop("index", None)  # the first import has added it
    monkeypatch.setitem(DATA_READERS, "index", spec)
    return module


@pytest.fixture
def make_index(tmp_path):
    """Writes a data set again in the layout of `toy_reader`; returns its root."""

    def make(data: Path) -> Path:
        root, entries = tmp_path / "indexed", []
        root.mkdir()
        for number, sample in enumerate(reversed(load_data_set(data).all_samples)):
            names = [f"{number}_{place}.png" for place in range(len(sample.files))]
            for file, name in zip(sample.files, names, strict=True):
                shutil.copyfile(file, root / name)
            entries.append(
                {
                    "part": sample.part,
                    "split": sample.split,
                    "defect": sample.defect,
                    "name": sample.name,
                    "thing": sample.group,
                    "pictures": names[: len(sample.level_files)],
                    "outline": names[-1] if sample.mask_file else None,
                }
            )
        (root / "index.json").write_text(json.dumps(entries), encoding="utf-8")
        return root

    return make
