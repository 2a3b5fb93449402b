"""Cached shape candidates of a sample; they depend on neither tolerances nor the reference."""

import json
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from bearing_search.config import Geometry, PreprocessConfig, parse, to_plain
from bearing_search.data.samples import Sample, read_brightness_0
from bearing_search.errors import DataError
from bearing_search.filesystem.digest import sha256_of_file
from bearing_search.preprocess.decoded_images import recent_images
from bearing_search.preprocess.image_cache import entry, load_facts, store_facts
from bearing_search.preprocess.locate import ShapeCandidates, detect
from bearing_search.preprocess.shapes import Circle, Ellipse, Shape


def detect_sample(
    sample: Sample, geometry: Geometry, config: PreprocessConfig, cache: Path | None = None
) -> ShapeCandidates:
    """Candidates in the sample's brightness 0, detected once per process, or once per `cache`.

    What is drawn on a sample is seen like anything else in its image.

    Raises:
        DataError: brightness 0 cannot be read.
    """
    file = sample.level_files[0]
    try:
        status = file.stat()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    settings = json.dumps(_settings(config), sort_keys=True)
    stamp = status.st_mtime_ns, status.st_size, sample.reading.bits
    return _detect_file(file, stamp, geometry, settings, cache, sample if sample.drawn else None)


def facts_of(shape: Shape | None) -> dict[str, Any]:
    """A shape as a dictionary of JSON types; `shape_of` reads it back."""
    return {} if shape is None else {"kind": type(shape).__name__, **asdict(shape)}


def shape_of(facts: dict[str, Any]) -> Shape | None:
    """The shape encoded by `facts_of`."""
    values = {name: value for name, value in facts.items() if name != "kind"}
    match facts.get("kind"):
        case "Circle":
            return Circle(**values)
        case "Ellipse":
            return Ellipse(**values)
    return None


def _settings(config: PreprocessConfig) -> dict[str, Any]:
    """The settings that detection depends on, without those that only choose or crop."""
    unused = {"geometry", "mid_level_parts", "levels", "bits", "void_value"}
    plain = {name: value for name, value in to_plain(config).items() if name not in unused}
    for name in ("radius_tolerance_px", "ring_half_width_px", "top_k", "crop_radius", "refine"):
        plain["circle"].pop(name)
    for name in ("crop_px", "crop_margin", "min_inside_crop", "refine"):
        plain["ellipse"].pop(name)
    return plain


@lru_cache(maxsize=4096)
def _detect_file(
    file: Path,
    stamp: tuple[int, int, int | None],
    geometry: Geometry,
    settings: str,
    cache: Path | None,
    drawn_on: Sample | None,
) -> ShapeCandidates:
    """Candidates in a file, or in a sample with a drawn defect.

    Args:
        stamp: the file's modification time and size, and the bit depth of its part.
        drawn_on: the sample, if a defect is drawn on it.
    """
    stored, bits = None, stamp[2]
    if cache is not None:
        content = sha256_of_file(file)
        drawn = [drawn_on.drawn.facts] if drawn_on and drawn_on.drawn else []
        stored = entry(cache, ".json", "detection", content, geometry, settings, bits, *drawn)
        known = load_facts(stored)
        if known is not None:
            return _from_facts(known)
    try:
        image = recent_images.read(file, bits) if drawn_on is None else read_brightness_0(drawn_on)
        detection = detect(image, geometry, parse(PreprocessConfig, json.loads(settings)))
    except DataError as error:
        named = str(error).startswith(str(file))
        raise DataError(str(error) if named else f"{file}: {error}") from None
    if stored is not None:
        shapes = [facts_of(shape) for shape in detection.candidates]
        facts = {**asdict(replace(detection, candidates=())), "candidates": shapes}
        store_facts(stored, facts)
    return detection


def _from_facts(facts: dict[str, Any]) -> ShapeCandidates:
    shapes = [shape_of(each) for each in facts["candidates"]]
    return ShapeCandidates(**{**facts, "candidates": tuple(s for s in shapes if s is not None)})
