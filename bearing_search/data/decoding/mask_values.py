"""Interprets the values of a mask: marked above 0, marked above half, or not a mask at all.

0/255, 0/1, class and instance ids mean "above 0". Lossy compression and resampling spread values
around 0 and around the maximum, where "above 0" would mark specks and rims; such masks are
thresholded at half of the maximum. Values spread over the whole range are a photo or a probability
map. Axis letters: h, w rows and columns.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Int, Int32, Int64

from bearing_search.data.decoding.picture import Picture
from bearing_search.errors import DataError

Rule = Literal["above 0", "above half", "alpha"]
"""Which pixels count as marked: `alpha` where only the opacity differs between pixels."""

_LOW, _HIGH = 1 / 8, 7 / 8
"""Shares of the maximum between which a pixel is neither background nor marked."""

_RIM_PX = 2
"""How far such pixels lie from a region's edge in a compressed or resampled mask."""

_MOST_STRAY = 0.25
"""Largest number of such pixels away from any edge, as a share of the marked pixels."""

_FLAT_FROM = 0.5
_LEAST_SMEARED_MAXIMUM = 64
"""Below it, values in a lossless file are ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskValues:
    """A mask, and how its values were interpreted."""

    marked: Bool[np.ndarray, "h w"]
    rule: Rule = "above 0"
    has_void: bool = False
    """Some pixels are neither normal nor anomalous, according to `preprocess.void_value`."""

    suspects_void: bool = False
    """The value 255 occurs together with small ids, as in VOC's void borders."""


def mask_values(picture: Picture, name: str, *, void_value: int | None = None) -> MaskValues:
    """Interpret a decoded mask. Transparent pixels are background.

    Args:
        picture: with the indices of its palette, if it has one.
        name: the mask's name in messages.
        void_value: value that counts as unmarked.

    Raises:
        DataError: no pixel is background, or the values are spread over the whole range.
    """
    numbers = _numbers(picture)
    alpha = picture.alpha
    if alpha is not None and _is_constant(numbers) and not _is_constant(alpha):
        return MaskValues(marked=alpha > int(alpha.max()) // 2, rule="alpha")
    if alpha is not None:
        numbers = np.where(alpha == 0, 0, numbers)
    has_void = void_value is not None and bool((numbers == void_value).any())
    if has_void:
        numbers = np.where(numbers == void_value, 0, numbers)
    values = _values(numbers)
    marked = numbers > 0
    rule: Rule = "above 0"
    if len(values) > 2 or (len(values) == 2 and values[0] > 0):
        box = _box(marked)
        inside = numbers[box].astype(np.int32)
        if picture.is_lossy or _is_smeared(inside, _Regions.of(inside), int(values[-1])):
            rule = "above half"
            marked[box] = _cut_at_half(inside, int(values[-1]), name)
    _refuse_no_background(marked, values, name)
    return MaskValues(
        marked=marked,
        rule=rule,
        has_void=has_void,
        suspects_void=void_value is None and _suspects_void(values),
    )


def _numbers(picture: Picture) -> np.ndarray:
    """One value per pixel (h w), of 8 or 16 bits: the largest of its channels."""
    pixels = picture.pixels
    if picture.is_inverted:
        pixels = np.iinfo(pixels.dtype).max - pixels
    return pixels.max(axis=2) if pixels.ndim == 3 else pixels


def _values(numbers: np.ndarray) -> Int[np.ndarray, " n"]:
    """The values that occur, ascending."""
    bins = 2 ** (8 * numbers.dtype.itemsize)
    counts = cv2.calcHist([np.ascontiguousarray(numbers)], [0], None, [bins], [0, bins])
    return np.flatnonzero(counts.ravel())


def _box(marked: Bool[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """The rows and columns that hold all marked pixels, with a margin for their rims."""
    x, y, width, height = cv2.boundingRect(marked.view(np.uint8))
    around = _RIM_PX + 1
    return (
        slice(max(0, y - around), y + height + around),
        slice(max(0, x - around), x + width + around),
    )


def _is_constant(numbers: np.ndarray) -> bool:
    return bool((numbers == numbers.flat[0]).all()) if numbers.size else True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Regions:
    """8-connected regions of values above 0."""

    labels: Int32[np.ndarray, "h w"]
    """0 where the value is 0."""

    peaks: Int64[np.ndarray, " n"]
    """Largest value of each region, by label."""

    @classmethod
    def of(cls, numbers: Int32[np.ndarray, "h w"]) -> "_Regions":
        positive = numbers > 0
        count, labels = cv2.connectedComponents(positive.astype(np.uint8), connectivity=8)
        peaks = np.zeros(count, np.int64)
        np.maximum.at(peaks, labels[positive], numbers[positive])
        return cls(labels=labels, peaks=peaks)


def _is_smeared(numbers: Int32[np.ndarray, "h w"], regions: _Regions, maximum: int) -> bool:
    """Whether values in most regions differ from their neighbours; ids form flat areas.

    Each region is weighted by the sum of its values, so that faint specks do not outweigh a defect.
    """
    if maximum < _LEAST_SMEARED_MAXIMUM:
        return False
    positive = numbers > 0
    region, inside = regions.labels[positive], numbers[positive]
    lower = inside < regions.peaks[region]
    size = regions.peaks.size
    flat = np.bincount(region, weights=_is_flat(numbers)[positive] & lower, minlength=size)
    of = np.bincount(region, weights=lower, minlength=size)
    weight = np.bincount(region, weights=inside, minlength=size)
    return bool(2 * weight[flat < _FLAT_FROM * of].sum() > weight.sum())


def _cut_at_half(
    numbers: Int32[np.ndarray, "h w"], maximum: int, name: str
) -> Bool[np.ndarray, "h w"]:
    """Pixels above half of their region's maximum, so that smaller class ids stay; no specks.

    Raises:
        DataError: values in between occur away from edges.
    """
    regions = _Regions.of(numbers)
    peaks = regions.peaks[regions.labels]
    marked: Bool[np.ndarray, "h w"] = (2 * numbers > peaks) & (peaks > _LOW * maximum)
    _refuse_spread(numbers, marked, peaks, name)
    return marked


def _is_flat(numbers: Int32[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels equal to a neighbour on the left or right and to one above or below."""
    padded = cv2.copyMakeBorder(numbers, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=-1)
    inner = padded[1:-1, 1:-1]
    across = (inner == padded[1:-1, :-2]) | (inner == padded[1:-1, 2:])
    down = (inner == padded[:-2, 1:-1]) | (inner == padded[2:, 1:-1])
    flat: Bool[np.ndarray, "h w"] = across & down
    return flat


def _refuse_spread(
    numbers: Int32[np.ndarray, "h w"],
    marked: Bool[np.ndarray, "h w"],
    peaks: Int64[np.ndarray, "h w"],
    name: str,
) -> None:
    """Refuse a photo or a probability map, where values in between occur away from edges."""
    kernel = np.ones((2 * _RIM_PX + 1, 2 * _RIM_PX + 1), np.uint8)
    solid = marked.astype(np.uint8)
    rim = cv2.dilate(solid, kernel) != cv2.erode(solid, kernel)
    share = numbers / np.maximum(peaks, 1)
    between = (share > _LOW) & (share < _HIGH)
    stray = int((between & ~rim).sum())
    if stray > _MOST_STRAY * int(marked.sum()):
        share_between = between.sum() / (numbers > 0).sum()
        raise DataError(
            f"{name} is not a mask: {100 * share_between:.0f} % of its pixels above 0 have values "
            f"in between, neither near 0 nor near the maximum {peaks.max()}, as in a photo or a "
            "probability map. Save it with two values, 0 for normal."
        )


def _refuse_no_background(marked: Bool[np.ndarray, "h w"], values: np.ndarray, name: str) -> None:
    """Refuse several values of which none is 0: the background has another value."""
    if len(values) > 1 and marked.size and marked.all():
        shown = ", ".join(str(value) for value in values[:4]) + ", ..." * (len(values) > 4)
        raise DataError(
            f"{name} marks every pixel: its values are {shown}, none of them 0. Normal pixels must "
            "be 0: save it again with a background of 0."
        )


def _suspects_void(values: np.ndarray) -> bool:
    ids = values[(values > 0) & (values < 255)]
    return bool(255 in values and len(ids) and ids.max() < 64)
