"""How one picture lies over another at all, however it is turned, mirrored and scaled.

The spectrum of a picture moves with its turn and scale, not with its place. In polar coordinates,
with the logarithm of the radius, both are shifts, which correlation finds (Fourier-Mellin, Reddy
and Chatterji 1996). Once they are known, the place is a shift, too.

Axis letters: h, w rows and columns; a angles; r radii.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from bearing_search.data_checks.matching.images.registration import (
    Warp,
    as_warp,
    mirror,
    rescaled,
)

SHRUNK_PX = 128 * 128
"""Pixels of the pictures that are placed."""

_SPECTRUM_PX = 256
_PLANE_PX = 256
_ANGLES, _RADII = 360, 96
_LEAST_RADIUS = 6.0
_MOST_SCALE = 1.8
_PEAKS = 6
_PEAK_ANGLES, _PEAK_RADII = 4, 3
_LEAST_COVERED = 0.15


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A small picture without shading and local contrast, and its spectrum."""

    even: Float32[np.ndarray, "h w"]
    polar: Float32[np.ndarray, "a r"]
    """Logarithm of the spectrum, around angles of half a turn."""

    factor: np.ndarray
    """In x and y, from this picture to the thumbnail."""

    mirrored: Float32[np.ndarray, "a r"]
    """`polar` of the picture mirrored left to right."""


def shrunk(thumbnail: UInt8[np.ndarray, "h w"]) -> Shrunk:
    """A thumbnail made ready to be placed."""
    height, width = thumbnail.shape
    factor = min(1.0, (SHRUNK_PX / (height * width)) ** 0.5)
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    small = cv2.resize(thumbnail, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = cv2.GaussianBlur(small, (0, 0), 0.7) - cv2.GaussianBlur(small, (0, 0), 5.0)
    even = fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 10.0)) + 3.0)
    polar = _polar(even)
    return Shrunk(
        even=even,
        polar=polar,
        factor=np.array([width / size[0], height / size[1]]),
        mirrored=np.roll(polar[::-1], 1, axis=0),
    )


@dataclass(frozen=True, slots=True)
class Placing:
    """A warp between two thumbnails, and how well the pictures then agree, in [-1, 1]."""

    agreement: float
    warp: Warp


def placings(first: Shrunk, second: Shrunk) -> list[Placing]:
    """Ways to lay the first over the second, the best first; each turn, scale and mirror once."""
    peaks = [
        (height, is_mirrored, angle, scale)
        for is_mirrored in (False, True)
        for height, angle, scale in _peaks(
            first.mirrored if is_mirrored else first.polar, second.polar
        )
    ]
    peaks.sort(key=lambda peak: -peak[0])
    wanted = cv2.dft(_padded(second.even, (0, 0)))
    found = []
    width = first.even.shape[1]
    for _, is_mirrored, angle, scale in peaks[:_PEAKS]:
        plain = np.ascontiguousarray(first.even[:, ::-1]) if is_mirrored else first.even
        for half in (0.0, np.pi):
            placed = _placed(plain, second.even, wanted, angle + half, scale)
            if placed is not None:
                warp = placed.warp @ mirror(width) if is_mirrored else placed.warp
                found.append(Placing(placed.agreement, rescaled(warp, first.factor, second.factor)))
    return sorted(found, key=lambda one: -one.agreement)


def _padded(even: Float32[np.ndarray, "h w"], at: tuple[int, int]) -> Float32[np.ndarray, "p p"]:
    plane = np.zeros((_PLANE_PX, _PLANE_PX), np.float32)
    height, width = (min(side, _PLANE_PX) for side in even.shape)
    plane[at[0] : at[0] + height, at[1] : at[1] + width] = even[:height, :width]
    return plane


def _polar(even: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "a r"]:
    height, width = even.shape
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    side = max(_SPECTRUM_PX, cv2.getOptimalDFTSize(max(even.shape)))
    plane = np.zeros((side, side), np.float32)
    plane[:height, :width] = even * window
    spectrum = cv2.dft(plane, flags=cv2.DFT_COMPLEX_OUTPUT)
    power = np.fft.fftshift(np.log(cv2.magnitude(spectrum[..., 0], spectrum[..., 1]) + 1e-3))
    half = _SPECTRUM_PX // 2
    centre, stretch = side / 2, side / _SPECTRUM_PX
    angles = np.arange(_ANGLES) * np.pi / _ANGLES
    radii = _LEAST_RADIUS * (half / _LEAST_RADIUS) ** (np.arange(_RADII) / _RADII) * stretch
    x = (centre + np.outer(np.cos(angles), radii)).astype(np.float32)
    y = (centre + np.outer(np.sin(angles), radii)).astype(np.float32)
    polar = cv2.remap(power.astype(np.float32), x, y, cv2.INTER_LINEAR)
    level: Float32[np.ndarray, "a r"] = polar - cv2.GaussianBlur(polar, (0, 0), 8.0)
    return level


def _peaks(
    first: Float32[np.ndarray, "a r"], second: Float32[np.ndarray, "a r"]
) -> list[tuple[float, float, float]]:
    """Height, angle and scale of the best shifts between two spectra."""
    planes = []
    for polar in (first, second):
        plane = np.zeros((_ANGLES, 2 * _RADII), np.float32)
        plane[:, :_RADII] = polar
        planes.append(cv2.dft(plane))
    alike = cv2.idft(cv2.mulSpectrums(planes[1], planes[0], 0, conjB=True), flags=cv2.DFT_SCALE)
    step = np.log(_SPECTRUM_PX / 2 / _LEAST_RADIUS) / _RADII
    most = int(np.log(_MOST_SCALE) / step)
    shifts = np.concatenate([np.arange(-most, 0), np.arange(most + 1)])
    alike = np.ascontiguousarray(alike[:, shifts])
    deviation = float(alike.std()) + 1e-9
    found = []
    for _ in range(_PEAKS):
        row, column = np.unravel_index(int(np.argmax(alike)), alike.shape)
        height = float(alike[row, column]) / deviation
        found.append((height, float(row) * np.pi / _ANGLES, float(np.exp(-step * shifts[column]))))
        rows = np.arange(row - _PEAK_ANGLES, row + _PEAK_ANGLES + 1) % _ANGLES
        alike[rows, max(0, column - _PEAK_RADII) : column + _PEAK_RADII + 1] = -np.inf
    return found


def _placed(
    first: Float32[np.ndarray, "h w"],
    second: Float32[np.ndarray, "u v"],
    wanted: Float32[np.ndarray, "p p"],
    angle: float,
    scale: float,
) -> Placing | None:
    """The first turned, scaled and then shifted where it agrees best with the second."""
    height, width = first.shape
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    warp = np.array([[cos, -sin, 0], [sin, cos, 0]])
    warp[:, 2] = _PLANE_PX / 2 - warp[:, :2] @ [(width - 1) / 2, (height - 1) / 2]
    side = (_PLANE_PX, _PLANE_PX)
    turned = cv2.dft(cv2.warpAffine(first, warp, side))
    alike = cv2.idft(cv2.mulSpectrums(wanted, turned, 0, conjB=True))
    row, column = np.unravel_index(int(np.argmax(alike)), alike.shape)
    warp[:, 2] += [_signed(int(column)), _signed(int(row))]
    size = (second.shape[1], second.shape[0])
    moved = cv2.warpAffine(first, warp, size)
    covers = cv2.warpAffine(np.ones_like(first), warp, size) > 0.9
    if covers.mean() < _LEAST_COVERED:
        return None
    ours, theirs = moved[covers], second[covers]
    length = float(np.sqrt((ours @ ours) * (theirs @ theirs)))
    return Placing(float(ours @ theirs) / length if length > 0 else 0.0, as_warp(warp))


def _signed(shift: int) -> int:
    return shift if shift < _PLANE_PX // 2 else shift - _PLANE_PX
