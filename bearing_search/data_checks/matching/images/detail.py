"""Whether two pictures are one photograph: a copy keeps the finest detail that it can keep.

A camera adds other noise to each photograph. Photographed again, under one light and in one place,
a thing has the same greys and the same texture, but not the same noise. A copy has the noise of
its original, less what turning, scaling and compression destroy; that loss is known, because it
can be repeated: the original is moved, relit and compressed like the copy, and both are compared
with the original in a band of fine detail.

Axis letters: h, w rows and columns of the original, u, v of the copy.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from bearing_search.data_checks.matching.images.alignment import aligned, shows_something
from bearing_search.data_checks.matching.images.compression import (
    BLOCK_PX,
    compressed,
    compressed_alike,
    was_compressed,
)
from bearing_search.data_checks.matching.images.registration import Warp, as_warp

COPY_FROM = 0.86
"""Share of the detail that a copy would keep, from which two pictures are one photograph.

Measured: copies .87 and more; photographs of one thing from one place up to .5, of a magnetic tile
turned by two degrees .81. A camera that hardly adds noise can bring two photographs to .93: those
cannot be told from copies."""

_WINDOW_PX = 320
_STEP = 8
_MOST_DETAIL = 20
_BANDS = ((0.0, 1.5, COPY_FROM), (0.7, 2.0, 0.93))
"""Sigmas in px of the original between which detail is compared, and the share from which it
counts: the coarser band holds less noise and more of the thing."""

_LEAST_EXPECTED = 0.25
"""Correlation that a copy must be able to keep in a band, for the band to say anything."""

_LEAST_PX = 2_000
_BLURS_PX = (7, 3)
_MORE_BLURS_PX = (3, 3)
_ROUNDS = 2
_PROMISING_FROM = 0.55
"""Share from which it pays to align two pictures once more: few that are no copies have it."""

_CERTAIN_FROM = 0.93
_HOPELESS_BELOW = 0.2


class SharedDetail(NamedTuple):
    """How much of the finest detail of one picture is in the other."""

    share: float
    """Of what a copy would keep, about 1 for copies; 0 where nothing can be said."""

    is_copy: bool


NOTHING = SharedDetail(share=0.0, is_copy=False)


def shared_detail(
    one: UInt8[np.ndarray, "h w"],
    other: UInt8[np.ndarray, "u v"],
    warp: Warp,
    *,
    qualities: tuple[int | None, int | None],
) -> SharedDetail:
    """The larger share of two: the other as a copy of the one, and the one as a copy of the other.

    Args:
        warp: from the one to the other, right to about a pixel.
        qualities: JPEG quality of each; None where its file is no JPEG.
    """
    forth = _as_copy(one, other, warp, qualities[1])
    if forth.share >= _CERTAIN_FROM or forth.share < _HOPELESS_BELOW:
        return forth
    back = _as_copy(other, one, np.linalg.inv(warp), qualities[0])
    return max(forth, back, key=_certainty)


def _as_copy(
    original: UInt8[np.ndarray, "h w"],
    copy: UInt8[np.ndarray, "u v"],
    warp: Warp,
    quality: int | None,
) -> SharedDetail:
    window = _window(original, copy.shape, warp)
    if window is None:
        return NOTHING
    y, x = window
    source = np.ascontiguousarray(original[y, x], dtype=np.float32)
    inside = warp @ as_warp(np.array([[1.0, 0, x.start], [0, 1, y.start]]))
    region, inside = _cut(copy, inside, source.shape)
    nearer = aligned(source, region, inside, _BLURS_PX)
    better = _share(source, region, nearer, quality)
    for _ in range(_ROUNDS):
        if better.is_copy or better.share < _PROMISING_FROM:
            break
        nearer = aligned(source, region, nearer, _MORE_BLURS_PX)
        better = max(better, _share(source, region, nearer, quality), key=_certainty)
    if better.is_copy:
        return better
    return max(better, _share(source, region, inside, quality), key=_certainty)


def _certainty(found: SharedDetail) -> tuple[bool, float]:
    return found.is_copy, found.share


def _share(
    source: Float32[np.ndarray, "h w"],
    region: UInt8[np.ndarray, "a b"],
    warp: Warp,
    quality: int | None,
) -> SharedDetail:
    """Share of the original's detail that the region has, of what it would have as a copy."""
    moved, covers = _moved(region, warp, source.shape), _covers(region, warp, source.shape)
    if int(covers.sum()) < _LEAST_PX:
        return NOTHING
    scale = float(np.sqrt(abs(np.linalg.det(warp[:2, :2]))))
    # made smaller, a picture is smoothed first, or not: nobody knows which
    smoothed = (source, cv2.GaussianBlur(source, (0, 0), 0.4 / scale)) if scale < 1 else (source,)
    again = [_moved(_repeated(one, region, warp, quality), warp, source.shape) for one in smoothed]
    for low, high, least in _BANDS:
        seen = [_band(image, low, high) for image in (source, moved, *again)]
        expected = min(_correlation(seen[0], one, covers) for one in seen[2:])
        if expected >= _LEAST_EXPECTED:
            share = _correlation(seen[0], seen[1], covers) / expected
            return SharedDetail(share=max(0.0, min(share, 1.0)), is_copy=share >= least)
    return NOTHING


def _window(
    original: UInt8[np.ndarray, "h w"], copy_shape: tuple[int, ...], warp: Warp
) -> tuple[slice, slice] | None:
    """Rows and columns of what both pictures show, where there is the most fine detail."""
    height, width = original.shape
    fine = cv2.absdiff(original, cv2.blur(original, (3, 3)))
    small = max(1, width // _STEP), max(1, height // _STEP)
    detail = cv2.resize(np.minimum(fine, _MOST_DETAIL), small, interpolation=cv2.INTER_AREA)
    ys, xs = np.mgrid[0 : small[1], 0 : small[0]] * _STEP + _STEP / 2
    u = warp[0, 0] * xs + warp[0, 1] * ys + warp[0, 2]
    v = warp[1, 0] * xs + warp[1, 1] * ys + warp[1, 2]
    both = (u >= 0) & (v >= 0) & (u <= copy_shape[1] - 1) & (v <= copy_shape[0] - 1)
    if not both.any():
        return None
    box = (_WINDOW_PX // _STEP, _WINDOW_PX // _STEP)
    held = cv2.blur(detail * both.astype(np.float32), box, borderType=cv2.BORDER_CONSTANT)
    middle = np.unravel_index(int(np.argmax(held)), held.shape)
    starts = [
        min(max(0, int(at) * _STEP - _WINDOW_PX // 2), max(0, side - _WINDOW_PX))
        for at, side in zip(middle, (height, width), strict=True)
    ]
    y, x = (
        slice(at, min(at + _WINDOW_PX, side))
        for at, side in zip(starts, (height, width), strict=True)
    )
    return y, x


def _cut(
    copy: UInt8[np.ndarray, "u v"], warp: Warp, shape: tuple[int, ...]
) -> tuple[UInt8[np.ndarray, "a b"], Warp]:
    """The part of the copy in which a window lies, and the warp into it."""
    height, width = shape
    corners = warp @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1.0]])
    low = np.maximum(np.floor(corners[:2].min(axis=1)).astype(int) - 16, 0)
    low -= low % BLOCK_PX  # so that the blocks of its compression stay whole
    high = np.ceil(corners[:2].max(axis=1)).astype(int) + 16
    region = copy[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
    return np.ascontiguousarray(region), as_warp(
        np.array([[1.0, 0, -low[0]], [0, 1, -low[1]]])
    ) @ warp


def _moved(region: np.ndarray, warp: Warp, shape: tuple[int, ...]) -> Float32[np.ndarray, "h w"]:
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    plain = region.astype(np.float32)
    moved: Float32[np.ndarray, "h w"] = cv2.warpAffine(
        plain, warp[:2], shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    return moved


def _covers(region: np.ndarray, warp: Warp, shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """Where the copy shows something: within its border, and not in what was filled in."""
    shows = shows_something(region).astype(np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    covers = cv2.warpAffine(shows, warp[:2], shape[::-1], flags=flags) > 0.99
    inner: Bool[np.ndarray, "h w"]
    inner = cv2.erode(covers.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return inner


def _repeated(
    source: Float32[np.ndarray, "h w"], region: np.ndarray, warp: Warp, quality: int | None
) -> UInt8[np.ndarray, "a b"]:
    """The original moved, relit and compressed like the copy."""
    moved = cv2.warpAffine(
        source, warp[:2], region.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    inside = cv2.warpAffine(np.ones_like(source), warp[:2], region.shape[::-1]) > 0.99
    relit: UInt8[np.ndarray, "a b"] = np.asarray(
        np.clip(_tone_of(moved, region, inside), 0, 255), dtype=np.uint8
    )
    if quality is not None:
        return compressed(relit, quality)
    return compressed_alike(relit, region) if was_compressed(region) else relit


def _tone_of(image: np.ndarray, like: np.ndarray, inside: np.ndarray) -> Float32[np.ndarray, "a b"]:
    """The image with the greys of the other one, equal greys staying equal."""
    if not inside.any():
        return image
    shares = np.linspace(0, 100, 33)
    ours, theirs = (np.percentile(one[inside], shares) for one in (image, like))
    toned: Float32[np.ndarray, "a b"] = np.interp(image, ours, theirs).astype(np.float32)
    return toned


def _band(image: Float32[np.ndarray, "h w"], low: float, high: float) -> Float32[np.ndarray, "h w"]:
    smooth = cv2.GaussianBlur(image, (0, 0), low) if low else image
    fine = smooth - cv2.GaussianBlur(image, (0, 0), high)
    even: Float32[np.ndarray, "h w"] = fine / np.sqrt(
        cv2.GaussianBlur(fine * fine, (0, 0), 8.0) + 1.0
    )
    return even


def _correlation(one: np.ndarray, other: np.ndarray, covers: np.ndarray) -> float:
    first, second = (image[covers] - image[covers].mean() for image in (one, other))
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / length if length > 0 else 0.0
