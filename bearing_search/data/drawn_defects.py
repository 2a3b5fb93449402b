"""Defects drawn on normal samples in pixels of the original image, before it is cropped or resized.

They stand in for real defects where a part has none in train. What is drawn depends on neither the
network's input nor the trial's seed, so that all settings are scored on the same defects.
"""

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.data.synthetic_defects import fill_defect

SMALLEST_PX = 4.0
"""Lower end of the prior, just below the smallest regions that people mark: the 64 regions of two
photographed sets have sides of 5 to 156 px, half of them 10 to 26."""

LARGEST_SHARE = 0.1
"""Upper end of the prior, as a share of the shorter side of the image."""

_SCAR_ASPECT = 3.0
"""Length over width from which a defect is drawn as a scar."""

_LONGEST_ASPECT = 10.0
_JITTER = 0.2
"""Largest change of the logarithm of a measured side."""

_THINNEST_PX = 1.42
"""Width at which a line at any angle stays connected."""

_LEAST_REGION_PX = 4
"""Area below which a region of a mask is a speck, not a defect."""


@dataclass(frozen=True, slots=True)
class RegionSize:
    """Size of one anomalous region."""

    side_px: float
    """Square root of its area."""

    aspect: float
    """Length over width of the smallest rectangle around it; at least 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectSizes:
    """How large drawn defects are."""

    range_px: tuple[float, float] | None = None
    """Smallest and largest side as configured, drawn log-uniformly; takes precedence."""

    measured: tuple[RegionSize, ...] = ()
    """Regions of real masks, of which one is chosen for each defect. Empty, and no range: sides are
    log-uniform from `SMALLEST_PX` to `LARGEST_SHARE` of the image's shorter side, which prefers no
    scale (Jeffreys' prior of a scale)."""

    @property
    def source(self) -> str:
        """Where the sizes come from, for reports."""
        if self.range_px is not None:
            return f"sides of {self.range_px[0]:g} to {self.range_px[1]:g} px, as configured"
        if self.measured:
            sides = [size.side_px for size in self.measured]
            return (
                f"sides as in {len(sides)} regions of real masks of other parts "
                f"({min(sides):.0f} to {max(sides):.0f} px)"
            )
        return f"sides of {SMALLEST_PX:g} px to {LARGEST_SHARE:.0%} of the image, a prior"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnDefect:
    """One drawn defect; lengths and places in pixels of the original image."""

    kind: Literal["scar", "patch", "blob"]
    centre: tuple[int, int]
    """Column and row."""

    size: RegionSize
    angle_deg: float
    seed: tuple[int, ...]
    """Seed of its outline and its texture."""

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that determines it, for digests."""
        return asdict(self)

    def mask(self, shape: Sequence[int]) -> Bool[np.ndarray, "h w"]:
        """The pixels that it covers in an image of the given height and width; at least one."""
        height, width = shape[0], shape[1]
        x, y = self.centre
        length = self.size.side_px * math.sqrt(self.size.aspect)
        reach = math.ceil(1.5 * length) + 2
        top, bottom = max(0, y - reach), min(height, y + reach + 1)
        left, right = max(0, x - reach), min(width, x + reach + 1)
        near = self._outline(reach)
        marked = np.zeros((height, width), dtype=bool)
        marked[top:bottom, left:right] = near[
            top - y + reach : bottom - y + reach, left - x + reach : right - x + reach
        ]
        if not marked.any():
            marked[y, x] = True
        return marked

    def on(self, levels: Sequence[UInt8[np.ndarray, "h w ..."]]) -> list[np.ndarray]:
        """Copies of all brightness levels with the same defect."""
        ends = np.cumsum([1 if level.ndim == 2 else level.shape[2] for level in levels])
        mask = self.mask(levels[0].shape)
        filled = fill_defect(np.dstack(levels), mask, np.random.default_rng((*self.seed, 1)))
        channels = np.split(filled, ends[:-1], axis=2)
        return [
            np.ascontiguousarray(found.reshape(level.shape))
            for found, level in zip(channels, levels, strict=True)
        ]

    def _outline(self, reach: int) -> Bool[np.ndarray, "s s"]:
        """The defect in a square of side 2 `reach` + 1 around its centre."""
        angle = math.radians(self.angle_deg)
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
        along = x * math.cos(angle) + y * math.sin(angle)
        across = y * math.cos(angle) - x * math.sin(angle)
        half_length = self.size.side_px * math.sqrt(self.size.aspect) / 2
        half_width = max(self.size.side_px / math.sqrt(self.size.aspect), _THINNEST_PX) / 2
        if self.kind != "blob":
            return np.asarray((abs(along) <= half_length) & (abs(across) <= half_width))
        rng = np.random.default_rng((*self.seed, 0))
        cells = max(4, round(4 * reach / self.size.side_px))
        noise: Float[np.ndarray, "s s"] = cv2.resize(
            rng.random((cells, cells)), x.shape, interpolation=cv2.INTER_CUBIC
        )
        bell = np.exp(-((along / half_length) ** 2 + (across / half_width) ** 2) / 2)
        height = bell * (0.5 + noise)
        area = min(max(1, round(self.size.side_px**2)), height.size)
        return _highest_region(height, area)


def region_sizes(mask: Bool[np.ndarray, "h w"]) -> list[RegionSize]:
    """Sizes of the 8-connected regions of a mask, without specks."""
    num_labels, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    sizes = []
    for label in range(1, num_labels):
        area = int(stats[label, cv2.CC_STAT_AREA])
        if area < _LEAST_REGION_PX:
            continue
        rows, columns = np.nonzero(labels == label)
        points = np.stack([columns, rows], axis=1).astype(np.float32)
        extent = [side + 1 for side in cv2.minAreaRect(points)[1]]
        sizes.append(RegionSize(math.sqrt(area), max(extent) / min(extent)))
    return sizes


def random_defect(
    sizes: DefectSizes, centre: tuple[int, int], *, shorter_px: int, seed: tuple[int, ...]
) -> DrawnDefect:
    """A defect of random size, kind and angle.

    Args:
        centre: its column and row.
        shorter_px: shorter side of the image; no defect has more than half of it as side.
        seed: what it depends on, besides the sizes.
    """
    rng = np.random.default_rng((*seed, 2))
    if sizes.measured and sizes.range_px is None:
        picked = sizes.measured[rng.integers(len(sizes.measured))]
        side, aspect = picked.side_px * math.exp(rng.uniform(-_JITTER, _JITTER)), picked.aspect
        is_scar = aspect >= _SCAR_ASPECT
    else:
        prior = (SMALLEST_PX, max(2 * SMALLEST_PX, LARGEST_SHARE * shorter_px))
        low, high = sizes.range_px or prior
        side = math.exp(rng.uniform(math.log(low), math.log(high)))
        is_scar = rng.random() < 1 / 3
        limits = (_SCAR_ASPECT, _LONGEST_ASPECT) if is_scar else (1.0, _SCAR_ASPECT)
        aspect = math.exp(rng.uniform(math.log(limits[0]), math.log(limits[1])))
    return DrawnDefect(
        kind="scar" if is_scar else "patch" if rng.random() < 0.5 else "blob",
        centre=centre,
        size=RegionSize(min(side, shorter_px / 2), aspect),
        angle_deg=float(rng.uniform(0, 180)),
        seed=seed,
    )


def _highest_region(height: Float[np.ndarray, "s s"], area: int) -> Bool[np.ndarray, "s s"]:
    """One 8-connected region of `area` pixels: grown from the highest by the highest beside it."""
    highest: Bool[np.ndarray, "s s"] = height >= np.partition(height.ravel(), -area)[-area]
    if cv2.connectedComponents(highest.astype(np.uint8), connectivity=8)[0] == 2:
        return highest  # what the steps below would come to

    region = np.zeros(height.shape, dtype=bool)
    start = np.unravel_index(int(np.argmax(height)), height.shape)
    border = [(-float(height[start]), int(start[0]), int(start[1]))]
    queued = {border[0][1:]}
    for _ in range(area):
        _, y, x = heapq.heappop(border)
        region[y, x] = True
        for near in itertools.product(range(y - 1, y + 2), range(x - 1, x + 2)):
            if near not in queued and min(near) >= 0 and max(near) < len(height):
                queued.add(near)
                heapq.heappush(border, (-float(height[near]), *near))
    return region
