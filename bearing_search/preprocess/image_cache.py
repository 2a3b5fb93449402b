"""Preprocessing cache shared by all trials; entries are named by a hash of their inputs.

An entry is written under a temporary name and renamed, so that any number of processes can use the
cache at the same time; at worst, two compute the same entry. An unreadable entry, as after a full
disk, is computed again.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bearing_search.data.samples import Sample
from bearing_search.errors import DataError
from bearing_search.filesystem.atomic import replacing, write_atomically
from bearing_search.filesystem.digest import sha256_of_file, sha256_of_text

VERSION = 4
"""Incremented when preprocessing gives different shapes or pixels for the same settings."""


def content_of(sample: Sample) -> str:
    """Digest of the contents of all files of a sample, and of what is drawn on them.

    Raises:
        DataError: a file cannot be read.
    """
    total = hashlib.sha256()
    for file in sample.files:
        try:
            total.update(bytes.fromhex(sha256_of_file(file)))
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    if sample.drawn is not None:
        total.update(json.dumps(sample.drawn.facts, sort_keys=True).encode())
    return total.hexdigest()


def entry(cache: Path, suffix: str, *facts: Any) -> Path:
    """Path of the entry for the given JSON-like inputs and the libraries' versions."""
    everything = [*facts, VERSION, cv2.__version__, np.__version__]
    name = sha256_of_text(json.dumps(everything, sort_keys=True))[:32]
    return cache / name[:2] / f"{name}{suffix}"


def load_facts(file: Path) -> dict[str, Any] | None:
    """Read a JSON entry; None if it is missing or damaged."""
    try:
        facts: Any = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def store_facts(file: Path, facts: Mapping[str, Any]) -> None:
    """Write a JSON entry; floats survive the round trip exactly."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(facts).encode())


def load_arrays(file: Path) -> dict[str, np.ndarray] | None:
    """Read an entry of arrays and verify its checksums; None if it is missing or damaged."""
    try:
        with np.load(file) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None


def store_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an entry of arrays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as stream:
        np.savez(stream, allow_pickle=False, **arrays)
