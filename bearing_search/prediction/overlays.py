"""One picture for each sample: caption, region of interest, anomalous regions, anomaly map.

The colour scale belongs to the part and is fixed, so that pictures of different days can be
compared. Axis letters: h w pixels of a panel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from bearing_search.data.samples import read_pages
from bearing_search.errors import ConfigError, DataError
from bearing_search.plots import montage
from bearing_search.plots.heat_map import BAD, GOOD
from bearing_search.plots.montage import TEXT, Colour, Picture
from bearing_search.plots.picture_table import CONTOUR, ColourBar, bar_strip, coloured
from bearing_search.prediction.file_names import FreeNames
from bearing_search.prediction.regions import anomalous_pixels, region_threshold
from bearing_search.prediction.results import SampleResult
from bearing_search.preprocess.shapes import Circle, Shape
from bearing_search.preprocess.window import Window, crop
from bearing_search.runtime.detector import Detector
from bearing_search.runtime.schema import QUANTILES, PartFacts
from bearing_search.runtime.verdict import Verdict

PANEL_PX, CAPTION_PX, GAP_PX = 448, 232, 4
REGION: Colour = (255, 90, 90)
"""Colour of outlines of anomalous regions on the photograph; on the map they are white."""

_WORDS: dict[str, Colour] = {"OK": GOOD, "NG": BAD}
_DOUBT: Colour = (255, 200, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapScale:
    """Map values at the black and at the pale end of the colours."""

    low: float
    end: float

    @classmethod
    def of_part(cls, facts: PartFacts) -> "MapScale":
        """The scale of a part, whose threshold of NG is at two thirds of it.

        The median score of normal samples is at one third. Where none is known, 0 is black and the
        threshold in the middle.
        """
        limit = facts.thresholds.ng
        scores = facts.normal.get("score")
        if not scores:
            return cls(low=min(0.0, 2 * limit), end=max(2 * limit, 1e-12))
        reach = max(abs(limit - scores[QUANTILES.index(0.5)]), 0.05 * abs(limit), 1e-12)
        return cls(low=limit - 2 * reach, end=limit + reach)

    def share(self, values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        """Values on the scale: 0 at its black end, 1 at its pale end."""
        shares: Float[np.ndarray, "h w"] = (values - self.low) / (self.end - self.low)
        return shares


@dataclass(slots=True, kw_only=True)
class Overlays:
    """Writes overlays into a folder, one PNG for each sample that can be read."""

    folder: Path
    detector: Detector
    _names: FreeNames = field(default_factory=FreeNames)

    @classmethod
    def create(cls, folder: Path, detector: Detector) -> "Overlays":
        """Overlays in a new or empty folder.

        Raises:
            ConfigError: it holds something, or is no folder.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder}: is not an empty folder; name another one with --out")
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder=folder, detector=detector)

    def draw(self, result: SampleResult, verdict: Verdict) -> str:
        """Write the overlay of a sample; returns its path relative to the folder.

        Empty if the sample cannot be read.
        """
        drawn = drawn_overlay(self.detector, result, verdict)
        if drawn is None:
            return ""
        file = self._names.take(result.part, result.sample, ".png")
        montage.write_png(drawn, self.folder / file)
        return file.as_posix()


def drawn_overlay(detector: Detector, result: SampleResult, verdict: Verdict) -> Picture | None:
    """The overlay of a sample whose files are still there; None: it cannot be read."""
    facts = detector.part_facts(result.part)
    is_readable = result.word != "unreadable"
    picture = _brightness_0(result.files, facts.bits) if is_readable else None
    if picture is None:
        return None
    half_width = detector.config.preprocess.circle.ring_half_width_px
    return overlay(picture, result, verdict, MapScale.of_part(facts), half_width)


def overlay(
    picture: Picture,
    result: SampleResult,
    verdict: Verdict,
    scale: MapScale,
    ring_half_width_px: float,
) -> Picture:
    """The overlay of one sample.

    Args:
        picture: brightness 0, RGB.
        result: for the caption.
        verdict: with map and region of interest, or without.
        scale: of the part.
        ring_half_width_px: how far a ring is kept on both sides of its circle.
    """
    height, width = picture.shape[:2]
    whole = Window(left=0, top=0, width=width, height=height)
    outlines = _outlines(verdict.shape, ring_half_width_px)
    panels = [_photograph(picture, whole, outlines, verdict)]
    if verdict.anomaly_map is not None and verdict.window is not None:
        if verdict.window != whole:
            panels.append(_photograph(picture, verdict.window, outlines, verdict))
        panels.append(_map(verdict, scale, like=panels[-1]))
    strip = montage.beside([_caption(result), *panels], GAP_PX)
    limit = region_threshold(verdict)
    if limit is None:
        return strip
    bar = ColourBar(
        low=f"{scale.low:.3g}",
        meaning=f"anomaly map of {result.part}; tick: {limit:.4g}",
        high=f"{scale.end:.3g}",
        clipped=f"above {scale.end:.3g}",
        threshold=(limit - scale.low) / (scale.end - scale.low),
    )
    room = max(strip.shape[1] - CAPTION_PX - GAP_PX, 240)
    below = montage.beside([montage.label("", CAPTION_PX), bar_strip(bar, room)], GAP_PX)
    return montage.stacked([strip, below])


def _photograph(
    picture: Picture, window: Window, outlines: Sequence[Shape], verdict: Verdict
) -> Picture:
    """The part of a photograph in a window, enlarged or shrunk, with outlines."""
    panel, shift = _cut(picture, window)
    scale = panel.shape[1] / window.width
    for shape in outlines:
        points = (shape.boundary(360) - shift + 0.5) * scale - 0.5
        cv2.polylines(panel, [np.rint(points).astype(np.int32)], True, GOOD, 1, cv2.LINE_AA)
    pixels = anomalous_pixels(verdict)
    if pixels is None or verdict.window is None:
        return panel
    return _contoured(panel, pixels, verdict.window, window, scale)


def _contoured(
    panel: Picture, pixels: Bool[np.ndarray, "m m"], mapped: Window, window: Window, scale: float
) -> Picture:
    """A panel of `window` with the outlines of pixels of the map, which covers `mapped`."""
    height, width = panel.shape[:2]
    columns = ((np.arange(width) + 0.5) / scale + window.left - mapped.left) / mapped.width
    rows = ((np.arange(height) + 0.5) / scale + window.top - mapped.top) / mapped.height
    inside = np.ix_((rows >= 0) & (rows < 1), (columns >= 0) & (columns < 1))
    mask = np.zeros((height, width), dtype=bool)
    side = len(pixels)
    at_rows = np.clip((rows * side).astype(int), 0, side - 1)
    at_columns = np.clip((columns * side).astype(int), 0, side - 1)
    mask[inside] = pixels[np.ix_(at_rows, at_columns)][inside]
    return montage.outlined(panel, mask, REGION)


def _map(verdict: Verdict, scale: MapScale, *, like: Picture) -> Picture:
    assert verdict.anomaly_map is not None
    height, width = like.shape[:2]
    shares = scale.share(verdict.anomaly_map).astype(np.float32)
    enlarged = cv2.resize(shares, (width, height), interpolation=cv2.INTER_NEAREST)
    pixels = anomalous_pixels(verdict)
    panel = coloured(enlarged)
    return panel if pixels is None else montage.outlined(panel, pixels, CONTOUR)


def _cut(picture: Picture, window: Window) -> tuple[Picture, tuple[int, int]]:
    """The window of a picture at the size of a panel, and its left upper corner."""
    cropped = crop(picture, window)
    scale = PANEL_PX / max(window.width, window.height)
    size = (max(1, round(window.width * scale)), max(1, round(window.height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(cropped, size, interpolation=way)), (
        window.left,
        window.top,
    )


def _outlines(shape: Shape | None, half_width: float) -> list[Shape]:
    """Edges of what is kept: of a ring both."""
    if not isinstance(shape, Circle):
        return [] if shape is None else [shape]
    radii = [shape.radius - half_width, shape.radius + half_width]
    return [replace(shape, radius=radius) for radius in radii if radius > 0]


def _caption(result: SampleResult) -> Picture:
    lines: list[tuple[str, Colour, int]] = [
        (result.word, _WORDS.get(result.word, _DOUBT), 22),
        (result.sample, TEXT, 14),
        (f"part {result.part}", TEXT, 12),
    ]
    if result.score is not None and result.thresholds is not None:
        limits = result.thresholds
        lines.append((f"score {result.score:.4g}", TEXT, 14))
        lines.append((f"NG from {limits.ng:.4g}, margin {result.margin:+.3g}", TEXT, 12))
        if limits.ok != limits.ng:
            lines.append((f"OK below {limits.ok:.4g}", TEXT, 12))
    if (found := result.region) is not None:
        size = f"{found.width}x{found.height} px, area {found.area_px:.0f}"
        lines.append((f"largest region at ({found.x:.0f}, {found.y:.0f})\n{size}", TEXT, 12))
    if result.shape is not None:
        lines.append((f"ROI: {result.shape}", TEXT, 12))
    lines += [(text, _DOUBT, 12) for text in (result.reason, *result.notes) if text]
    return montage.stacked(
        [montage.label(text, CAPTION_PX, colour=colour, size=size) for text, colour, size in lines]
    )


def _brightness_0(files: Sequence[str], bits: int | None) -> Picture | None:
    """Brightness 0 as RGB; None: it cannot be read."""
    if not files:
        return None
    try:
        image = read_pages(Path(files[0]), bits)[0]
    except DataError:
        return None
    return image if image.ndim == 3 else np.dstack([image] * 3)
