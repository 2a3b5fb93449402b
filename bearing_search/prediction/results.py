"""What is said about one sample, as a row of a table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bearing_search.prediction.regions import AnomalousRegion
from bearing_search.preprocess.shapes import Circle, Shape
from bearing_search.preprocess.window import Window
from bearing_search.runtime.verdict import Thresholds, Word

Outcome = Word | Literal["wrong light"]
"""`wrong light`: it has a score, but its brightness is far outside that of the training samples.
The other words are those of `runtime.verdict`."""

JUDGED: tuple[Outcome, ...] = ("OK", "re-inspect", "NG")
"""Words of samples that were judged. All others mean that nothing is known: never OK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleResult:
    """The verdict on one sample. Positions and lengths are in pixels of the original."""

    word: Outcome
    part: str
    sample: str
    """Its name: relative to the folder that was named, or as the manifest has it."""

    files: tuple[str, ...]
    score: float | None
    thresholds: Thresholds | None
    margin: float | None
    """Score less the threshold of NG; negative: below it."""

    region: AnomalousRegion | None
    """The largest anomalous region; None: there is none."""

    shape: Shape | None
    """Circle or ellipse that was found; None: the part is used whole, or nothing was found."""

    window: Window | None
    """What the anomaly map covers."""

    brightness: float | None
    """Mean grey level of the first channel in the region of interest."""

    seconds: float
    """Reading, region of interest, network and map; loading the network does not count."""

    reason: str
    """Why it was not judged; empty: it was."""

    notes: tuple[str, ...]
    """Remarks on a region of interest that is usable all the same."""

    overlay: str = ""
    """File with its overlay, relative to the folder; empty: there is none."""

    @property
    def is_judged(self) -> bool:
        """Whether there is a verdict that can be relied upon."""
        return self.word in JUDGED

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        limits = self.thresholds
        return {
            "sample": self.sample,
            "part": self.part,
            "verdict": self.word,
            "score": self.score,
            "thresholds": None if limits is None else {"ok": limits.ok, "ng": limits.ng},
            "margin": self.margin,
            "roi": _roi(self.shape, self.window),
            "region": None if self.region is None else asdict(self.region),
            "brightness": self.brightness,
            "seconds": round(self.seconds, 6),
            "reason": self.reason,
            "notes": list(self.notes),
            "files": list(self.files),
            "overlay": self.overlay,
        }

    def as_row(self) -> dict[str, Any]:
        """The same, flat: one value for each of `COLUMNS`."""
        plain = self.as_json()
        roi = plain["roi"] or {}
        region = plain["region"] or {}
        limits = plain["thresholds"] or {}
        flat = {
            **plain,
            "threshold_ok": limits.get("ok"),
            "threshold_ng": limits.get("ng"),
            **{f"roi_{name}": value for name, value in roi.items()},
            **{f"region_{name}": value for name, value in region.items()},
            "notes": "; ".join(self.notes),
            "files": "; ".join(self.files),
        }
        return {name: flat.get(name) for name in COLUMNS}


COLUMNS = (
    *("sample", "part", "verdict", "score", "threshold_ok", "threshold_ng", "margin"),
    *("region_x", "region_y", "region_area_px", "region_left", "region_top", "region_width"),
    *("region_height", "region_peak", "roi_kind", "roi_x", "roi_y", "roi_semi_major"),
    *("roi_semi_minor", "roi_angle_deg", "roi_left", "roi_top", "roi_width", "roi_height"),
    *("brightness", "seconds", "reason", "notes", "files", "overlay"),
)
"""Columns of the CSV."""


def _roi(shape: Shape | None, window: Window | None) -> Mapping[str, Any] | None:
    """Kind, outline and window of a region of interest; a circle has its radius twice."""
    if window is None:
        return None
    found: dict[str, Any] = {"kind": "whole"}
    if isinstance(shape, Circle):
        found = {"kind": "circle", "x": shape.x, "y": shape.y}
        found |= {"semi_major": shape.radius, "semi_minor": shape.radius, "angle_deg": 0.0}
    elif shape is not None:
        found = {"kind": "ellipse", "x": shape.x, "y": shape.y}
        found |= {"semi_major": shape.semi_major, "semi_minor": shape.semi_minor}
        found |= {"angle_deg": shape.angle_deg}
    return {**found, **asdict(window)}
