"""Draws defects on the normal samples of a fold, in pixels of their original images."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bearing_search.config import PreprocessConfig, to_plain
from bearing_search.data.drawn_defects import (
    DefectSizes,
    DrawnDefect,
    RegionSize,
    random_defect,
    region_sizes,
)
from bearing_search.data.samples import Sample, read_brightness_0, read_mask
from bearing_search.filesystem.digest import sha256_of_json, sha256_of_text
from bearing_search.preprocess.image_cache import content_of, entry, load_facts, store_facts
from bearing_search.preprocess.pipeline import NoRoi, RoiReference, kept_pixels

SYNTHETIC = "synthetic"
"""Kind of a drawn defect."""

_TRIES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How defects are drawn on the samples of one part."""

    reference: RoiReference
    config: PreprocessConfig
    sizes: DefectSizes
    seed: tuple[int, ...]
    """Together with a sample's part and name, it determines that sample's defect."""

    cache: Path
    """Folder shared by all trials."""


def with_defects(samples: Sequence[Sample], drawing: Drawing, *, every: int) -> list[Sample]:
    """The samples, every `every`-th of which gets a defect and is labelled anomalous.

    A defect's centre lies in the region of interest. A sample without one stays as it is.

    Raises:
        DataError: an image cannot be read.
    """
    drawn = list(samples)
    for index in range(0, len(samples), every):
        defect = _defect_on(samples[index], drawing)
        if defect is not None:
            drawn[index] = replace(
                samples[index], is_anomalous=True, defect=SYNTHETIC, drawn=defect
            )
    return drawn


def drawing_digest(samples: Sequence[Sample]) -> str:
    """Sixteen hex digits over what is drawn on which samples; empty where nothing is.

    Scores on drawn defects are comparable only where this is the same.
    """
    facts = [[s.part, s.name, s.drawn.facts] for s in samples if s.drawn is not None]
    return sha256_of_json(facts)[:16] if facts else ""


def measured_sizes(samples: Sequence[Sample], cache: Path) -> tuple[RegionSize, ...]:
    """Sizes of all regions of the samples' masks, in pixels of the original images.

    Raises:
        DataError: an image or a mask cannot be read.
    """
    return tuple(size for sample in samples for size in _sizes_in(sample, cache))


def _sizes_in(sample: Sample, cache: Path) -> list[RegionSize]:
    file = entry(cache, ".json", "defect sizes", content_of(sample), asdict(sample.reading))
    facts = load_facts(file)
    if facts is None:
        found = region_sizes(read_mask(sample, read_brightness_0(sample).shape[:2]))
        facts = {"sizes": [[size.side_px, size.aspect] for size in found]}
        store_facts(file, facts)
    return [RegionSize(*pair) for pair in facts["sizes"]]


def _defect_on(sample: Sample, drawing: Drawing) -> DrawnDefect | None:
    """The sample's defect; None if it has no region of interest."""
    named = int(sha256_of_text(f"{sample.part}/{sample.name}")[:12], 16)
    seed = (*drawing.seed, named)
    file = entry(
        drawing.cache,
        ".json",
        "place of a drawn defect",
        *(content_of(sample), asdict(sample.reading), seed),
        *(to_plain(drawing.config), asdict(drawing.reference)),
    )
    facts = load_facts(file)
    if facts is None:
        kept = kept_pixels(sample, drawing.reference, drawing.config, drawing.cache)
        facts = {"centre": None}
        if not isinstance(kept, NoRoi) and kept.any():
            facts = {"centre": _place_in(kept, seed), "shorter_px": min(kept.shape)}
        store_facts(file, facts)
    if facts["centre"] is None:
        return None
    column, row = facts["centre"]
    return random_defect(drawing.sizes, (column, row), shorter_px=facts["shorter_px"], seed=seed)


def _place_in(kept: Bool[np.ndarray, "h w"], seed: tuple[int, ...]) -> tuple[int, int]:
    """Column and row of a random kept pixel; mostly the same if slightly other pixels are kept."""
    rng = np.random.default_rng((*seed, 3))
    height, width = kept.shape
    for _ in range(_TRIES):
        column, row = int(rng.integers(width)), int(rng.integers(height))
        if kept[row, column]:
            return column, row
    rows, columns = np.nonzero(kept)
    pick = int(rng.integers(len(rows)))
    return int(columns[pick]), int(rows[pick])
