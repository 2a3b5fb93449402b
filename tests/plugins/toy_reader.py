"""A reader for an invented layout: pictures in one folder, `index.json` says what they are.

Entries: `{"part": "LC", "split": "train", "defect": "dent", "name": "s1", "thing": "ring 7",
"pictures": ["0.png"], "outline": "1.png"}`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from bearing_search.data.readers import DATA_READERS, DataReader
from bearing_search.data.samples import GOOD, Sample
from bearing_search.errors import DataError

INDEX = "index.json"


def has_index(root: Path) -> bool:
    return (root / INDEX).is_file()


def samples_of_index(root: Path) -> Iterator[Sample]:
    for entry in json.loads((root / INDEX).read_text(encoding="utf-8")):
        try:
            yield Sample(
                part=entry["part"],
                split=entry["split"],
                defect=entry["defect"],
                name=entry["name"],
                group=entry["thing"],
                is_anomalous=entry["defect"] != GOOD,
                level_files=tuple(root / name for name in entry["pictures"]),
                mask_file=root / entry["outline"] if entry["outline"] else None,
            )
        except KeyError as missing:
            raise DataError(f"{root / INDEX}: {entry} lacks {missing}; add it.") from None


DATA_READERS["index"] = DataReader(wanted=INDEX, recognises=has_index, read=samples_of_index)
