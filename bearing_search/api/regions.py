"""Regions of interest of every image, without training anything."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bearing_search.config import Geometry, PreprocessConfig, parse
from bearing_search.data.dataset import load_data_set
from bearing_search.data.image_folder import ImageFolder, find_images
from bearing_search.data.readers import reader_of
from bearing_search.data.readings import read_alike
from bearing_search.data.samples import Sample
from bearing_search.errors import ConfigError, DataError
from bearing_search.preprocess.report.extraction import PartExtraction, look_at_part


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRequest:
    """Options for finding regions."""

    part: str | None = None
    """Only this part; None: all."""

    geometry: Geometry | None = None
    """How the region is found; None: the default geometry of the part."""

    radius_tolerance_px: float | None = None
    """Delta_r. None: the default, which a plain folder's own spread may widen."""

    ring_half_width_px: float | None = None
    """Delta c_r. None: the default."""

    workers: int = 0
    """Processes; 0: one per core."""


def extract_regions(
    data: Path, asked: RegionRequest, on_progress: Callable[[str, int], Callable[[], None]]
) -> list[PartExtraction]:
    """Find the region of interest of every image, part by part.

    Args:
        data: a data set, or a folder of images.
        asked: parts, geometry and tolerances.
        on_progress: called with a part's name and its number of steps; returns the function to call
            after each step.

    Raises:
        DataError: there is no image, or a data set's file cannot be read.
        ConfigError: there is no such part, or a setting is out of range.
    """
    pictures = _pictures(data, is_geometry_given=asked.geometry is not None)
    settings = _settings(asked.radius_tolerance_px, asked.ring_half_width_px)
    pictures = _read_alike(pictures, settings)
    reports = []
    for name, images in _by_part(pictures, asked.part, data).items():
        reports.append(
            look_at_part(
                images,
                asked.geometry or settings.geometry_of(name),
                settings,
                workers=asked.workers or len(os.sched_getaffinity(0)),
                adapt_tolerance=asked.geometry is not None and asked.radius_tolerance_px is None,
                on_progress=on_progress(name, 2 * len(images.samples)),
            )
        )
    return reports


def _pictures(data: Path, *, is_geometry_given: bool) -> ImageFolder:
    """A data set's samples; if it is not one, or has a flaw, all images in the folder."""
    try:
        return ImageFolder(samples=load_data_set(data).all_samples, flawed=())
    except DataError as error:
        if not data.is_dir() or reader_of(data) not in ("folders", None):
            raise
        found = find_images(data)
        is_data_set = any("train" in s.level_files[0].parts for s in found.samples)
        if is_data_set or is_geometry_given:
            return found
        raise DataError(
            f"{error} For a plain folder of images, choose how the region is found: "
            "--geometry circle, inverted_circle or ellipse."
        ) from None


def _read_alike(pictures: ImageFolder, settings: PreprocessConfig) -> ImageFolder:
    """The images with the depth of their part; if a file is broken, as each file states it."""
    try:
        samples, _ = read_alike(pictures.samples, settings, cache=None, known={})
    except DataError:  # reported in the row of its sample
        return pictures
    return replace(pictures, samples=tuple(samples))


def _by_part(pictures: ImageFolder, part: str | None, data: Path) -> dict[str, ImageFolder]:
    every: list[Sample] = [*pictures.samples, *(sample for sample, _ in pictures.flawed)]
    parts = sorted({sample.part for sample in every})
    if part is not None and part not in parts:
        raise ConfigError(
            f"--part {part}: {data} has no such part; its parts are {', '.join(parts)}."
        )
    return {
        name: ImageFolder(
            samples=tuple(s for s in pictures.samples if s.part == name),
            flawed=tuple((s, reason) for s, reason in pictures.flawed if s.part == name),
        )
        for name in (parts if part is None else [part])
    }


def _settings(
    radius_tolerance_px: float | None, ring_half_width_px: float | None
) -> PreprocessConfig:
    given = {
        "radius_tolerance_px": radius_tolerance_px,
        "ring_half_width_px": ring_half_width_px,
    }
    circle = {name: value for name, value in given.items() if value is not None}
    return parse(PreprocessConfig, {"circle": circle})
