"""The cached door for the training stages: samples of one part as arrays of one size.

An entry of the cache holds one sample's arrays. Its name says everything that can change them:
the content of the source files, the chosen shape, the settings of the cut, the sizes, and the
versions of this package's preprocessing and of the libraries. Entries are written under a
temporary name and renamed, so that any number of processes may ask for one at the same time.

Axis letters: n samples; s side of the input; m side of the map; h, w rows and columns.
"""

import hashlib
import json
import os
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8

from bearing_search.config import PreprocessConfig, to_plain
from bearing_search.data.samples import Sample
from bearing_search.errors import DataError
from bearing_search.preprocess.pipeline import NoRoi, Roi, RoiReference, extract

VERSION = 1
"""Raised whenever preprocessing gives other pixels for equal settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSet:
    """What training and scoring read."""

    samples: tuple[Sample, ...]
    """Those with a region of interest, in the order given."""

    images: UInt8[np.ndarray, "n s s 3"]
    """Regions of interest, resized; area interpolation where they shrink."""

    roi_masks: Bool[np.ndarray, "n s s"]
    """A pixel counts where any part of it is kept."""

    masks: Bool[np.ndarray, "n s s"]
    """A pixel counts where any part of it is marked."""

    map_masks: Bool[np.ndarray, "n m m"]
    """The same at the size of the map: a threshold of .5 would erase small dents."""

    lost_regions: Int[np.ndarray, " n"]
    """Per sample, regions of the ground truth that lie wholly outside the region of interest."""

    no_roi: tuple[tuple[Sample, str], ...]
    """Samples without region of interest, with the reason."""

    digest: str
    """Sixteen hex digits of the content of the arrays: settings that change nothing keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    image: UInt8[np.ndarray, "s s 3"]
    roi_mask: Bool[np.ndarray, "s s"]
    mask: Bool[np.ndarray, "s s"]
    map_mask: Bool[np.ndarray, "m m"]
    lost_regions: int


def prepare(
    samples: Sequence[Sample],
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    input_px: int,
    map_px: int,
    cache: Path,
) -> PreparedSet:
    """Extract, resize and stack the samples of one part.

    Args:
        reference: estimated on the training side of the fold.
        input_px: side of the encoder's input.
        map_px: side of the map on which pixels are scored.
        cache: folder shared by all trials.

    Raises:
        DataError: a file cannot be read, levels or mask differ in size.
    """
    cache.mkdir(parents=True, exist_ok=True)
    kept: list[Sample] = []
    entries: list[_Entry] = []
    missing: list[tuple[Sample, str]] = []
    for sample in samples:
        made = _one(sample, reference, config, input_px=input_px, map_px=map_px, cache=cache)
        if isinstance(made, str):
            missing.append((sample, made))
        else:
            kept.append(sample)
            entries.append(made)
    images = _stack([e.image for e in entries], (input_px, input_px, 3), np.uint8)
    roi_masks = _stack([e.roi_mask for e in entries], (input_px, input_px), np.bool_)
    masks = _stack([e.mask for e in entries], (input_px, input_px), np.bool_)
    map_masks = _stack([e.map_mask for e in entries], (map_px, map_px), np.bool_)
    return PreparedSet(
        samples=tuple(kept),
        images=images,
        roi_masks=roi_masks,
        masks=masks,
        map_masks=map_masks,
        lost_regions=np.array([e.lost_regions for e in entries], dtype=np.int64),
        no_roi=tuple(missing),
        digest=_digest([images, roi_masks, masks, map_masks]),
    )


def shrink_any(mask: Bool[np.ndarray, "h w"], side: int) -> Bool[np.ndarray, "s s"]:
    """Resize a mask so that a pixel is set where any part of it is set."""
    height, width = mask.shape
    total = cv2.integral(mask.astype(np.uint8))
    top, bottom = _cells(height, side)
    left, right = _cells(width, side)
    inside = (
        total[np.ix_(bottom, right)]
        - total[np.ix_(top, right)]
        - total[np.ix_(bottom, left)]
        + total[np.ix_(top, left)]
    )
    result: Bool[np.ndarray, "s s"] = inside > 0
    return result


def _cells(length: int, side: int) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " s"]]:
    """First and one-past-last source pixel that each target pixel touches."""
    index = np.arange(side)
    return index * length // side, -(-(index + 1) * length // side)


def _one(
    sample: Sample,
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    input_px: int,
    map_px: int,
    cache: Path,
) -> _Entry | str:
    sizes = {"input_px": input_px, "map_px": map_px}
    name = _entry_name(sample, reference, config, sizes)
    file = cache / name[:2] / f"{name}.npz"
    known = _load(file)
    if known is not None:
        return known
    roi = extract(sample, reference, config)
    made: _Entry | str = roi.reason if isinstance(roi, NoRoi) else _resized(roi, input_px, map_px)
    _store(file, made)
    return made


def _resized(roi: Roi, input_px: int, map_px: int) -> _Entry:
    shrinks = min(roi.image.shape[:2]) >= input_px
    return _Entry(
        image=cv2.resize(
            roi.image,
            (input_px, input_px),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        ),
        roi_mask=shrink_any(roi.roi_mask, input_px),
        mask=shrink_any(roi.mask, input_px),
        map_mask=shrink_any(roi.mask, map_px),
        lost_regions=roi.lost_regions,
    )


def _entry_name(
    sample: Sample, reference: RoiReference, config: PreprocessConfig, sizes: dict[str, int]
) -> str:
    total = hashlib.sha256()
    facts = [to_plain(config), asdict(reference), sizes, VERSION, cv2.__version__, np.__version__]
    total.update(json.dumps(facts, sort_keys=True).encode())
    total.update(sample.title.encode())  # a reason quotes it
    for file in sample.files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror})") from None
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:32]


def _load(file: Path) -> _Entry | str | None:
    """What the cache holds; None where it holds nothing, or an entry that a full disk cut off."""
    try:
        with np.load(file) as stored:
            if "reason" in stored:
                return str(stored["reason"])
            return _Entry(
                image=stored["image"],
                roi_mask=stored["roi_mask"],
                mask=stored["mask"],
                map_mask=stored["map_mask"],
                lost_regions=int(stored["lost_regions"]),
            )
    except (FileNotFoundError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _store(file: Path, made: _Entry | str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.{uuid.uuid4().hex}.tmp")
    try:
        with unfinished.open("wb") as stream:
            if isinstance(made, str):
                np.savez(stream, reason=np.array(made))
            else:
                np.savez(
                    stream,
                    image=made.image,
                    roi_mask=made.roi_mask,
                    mask=made.mask,
                    map_mask=made.map_mask,
                    lost_regions=np.array(made.lost_regions),
                )
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _stack(
    arrays: Sequence[np.ndarray], shape: tuple[int, ...], dtype: type[np.generic]
) -> np.ndarray:
    """`np.stack` that knows the shape of nothing."""
    return np.stack(arrays) if arrays else np.zeros((0, *shape), dtype=dtype)


def _digest(arrays: Sequence[np.ndarray]) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(repr(array.shape).encode())
        total.update(np.ascontiguousarray(array).view(np.uint8).data)
    return total.hexdigest()[:16]
