"""SHA-256 of texts, JSON values, files and arrays, in hex.

The digests identify trials, stages and cached images on disk: changing them orphans what is stored.
`config.digest` has a separate canonical JSON: config imports no other package, and the rules of its
schemes are frozen with NaN allowed, which is refused here.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


def sha256_of_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_json(value: Any) -> str:
    """SHA-256 of a JSON-like value, independent of key order; 1, 1.0 and true differ.

    Raises:
        ValueError: the value contains NaN or an infinity, which JSON cannot represent.
    """
    return sha256_of_text(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False))


def sha256_of_file(file: Path) -> str:
    """SHA-256 of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_arrays(labelled: Iterable[tuple[str, np.ndarray]]) -> str:
    """SHA-256 of arrays in order, each preceded by its label.

    Args:
        labelled: label and array. Only the array's bytes count, in row-major order; if shape or
            dtype matter, the label must contain them.
    """
    total = hashlib.sha256()
    for label, array in labelled:
        total.update(label.encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
