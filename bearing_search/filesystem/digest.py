"""sha256 of texts, JSON values, files and arrays, in hex.

They name trials, stages and cached images on disk: other bytes here orphan what was stored.
`config.digest` keeps canonical JSON of its own: config stands on no other package, and the rules of
its schemes are frozen with NaN allowed, which is refused here.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


def sha256_of_text(text: str) -> str:
    """Of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_json(value: Any) -> str:
    """Of a JSON-like value, independent of the order of keys; 1, 1.0 and true differ.

    Raises:
        ValueError: it holds NaN or an infinity, which JSON has no words for.
    """
    return sha256_of_text(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False))


def sha256_of_file(file: Path) -> str:
    """Of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_arrays(labelled: Iterable[tuple[str, np.ndarray]]) -> str:
    """Of arrays in their order, each after its label.

    Args:
        labelled: label and array. The array counts by its bytes alone, row by row; a label that
            should tell shapes or types apart must name them.
    """
    total = hashlib.sha256()
    for label, array in labelled:
        total.update(label.encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
