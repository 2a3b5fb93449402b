"""What a detector is asked, and what it says. Axis letters: h w pixels, m side of the map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.errors import ConfigError
from bearing_search.preprocess.shapes import Shape
from bearing_search.preprocess.window import Window

Word = Literal["OK", "re-inspect", "NG", "no ROI", "wrong levels", "unreadable"]
"""`OK`: below both thresholds; `re-inspect`: between them; `NG`: at or above the upper one. The
others have no score and are never OK: no plausible region of interest, another number of brightness
levels than in training, a file or an array that cannot be used."""

Levels = Sequence[Path | str | np.ndarray]
"""Brightness levels of a sample, brightness 0 first: image files, or arrays (h w) or (h w 3) of
uint8 or uint16. One file of several pages holds all levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Image scores that separate the verdicts of one part."""

    ng: float
    """At and above it a sample is NG."""

    ok: float
    """Below it a sample is OK; between the two it has to be inspected again. Equal to `ng`: there
    is nothing between them."""

    rule: str
    """How they were chosen, for display."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ng) and math.isfinite(self.ok)) or self.ok > self.ng:
            raise ConfigError(
                f"thresholds are ok {self.ok:g} and ng {self.ng:g}; wanted two finite numbers, ok "
                "at most ng"
            )

    def word(self, score: float) -> Word:
        """The verdict on a finite score."""
        if score >= self.ng:
            return "NG"
        return "re-inspect" if score >= self.ok else "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLevels:
    """One sample to be judged."""

    part: str
    levels: Levels
    name: str = ""
    """For messages. Empty: the name of its first file."""

    @property
    def title(self) -> str:
        """Its name in messages."""
        first = self.levels[0] if len(self.levels) else None
        if self.name or first is None or isinstance(first, np.ndarray):
            return self.name or "the sample"
        return Path(first).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on one sample. Without a score, everything below `reason` is None."""

    word: Word
    part: str
    name: str
    reason: str = ""
    """One line why there is no score; empty where there is one."""

    score: float | None = None
    """Image score; higher is more anomalous."""

    thresholds: Thresholds | None = None
    anomaly_map: Float[np.ndarray, "m m"] | None = None
    """Higher is more anomalous; covers `window`."""

    region: Bool[np.ndarray, "m m"] | None = None
    """Pixels of the map that are scored; None: all of them."""

    window: Window | None = None
    """What the map covers, in pixels of the original; may reach beyond it."""

    picture_px: tuple[int, int] | None = None
    """Width and height of the original."""

    shape: Shape | None = None
    """Circle or ellipse that was found, in pixels of the original; None: the part is used whole."""

    brightness: float | None = None
    """Mean grey level of the first channel in the region of interest, in [0, 255]."""

    notes: tuple[str, ...] = ()
    """Remarks on a region of interest that is usable all the same."""

    @property
    def margin(self) -> float | None:
        """Score less the threshold of NG; negative: below it."""
        if self.score is None or self.thresholds is None:
            return None
        return self.score - self.thresholds.ng
