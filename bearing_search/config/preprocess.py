"""Settings of the regions of interest and of brightness fusion (paper, section 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bearing_search.config.fields import (
    ABOVE_0,
    AT_LEAST_0,
    AT_LEAST_1,
    ODD,
    SHARE,
    STRICT_KEYS,
    OpenChoice,
    Range,
    Setting,
    added_later,
    config_field,
    require,
    require_ranges,
)

Geometry = Literal["none", "circle", "inverted_circle", "ellipse"]
"""How the region of interest of a part is found."""

Reduction = Literal["mean", "max", "std", "ratio"]
"""What all brightness levels of a pixel are reduced to (`preprocess.levels`)."""

Channel = int | Reduction
"""A brightness level by its number, or a reduction of all levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastConfig:
    """CGMP: processing of brightness 0 before shape detection. The paper gives no numbers.

    Shapes are detected in a copy whose longer side is `working_px`; lengths in this section are
    pixels of that copy, so that they mean the same at every camera resolution.
    """

    __pydantic_config__ = STRICT_KEYS

    working_px: int = config_field(512, Range(at_least=64), "px")
    """Longer side of the copy in which shapes are detected; larger images are downscaled to it."""

    clahe_clip: float = config_field(2.0, ABOVE_0)
    """Clip limit of CLAHE (OpenCV's default is 40)."""

    clahe_tiles: int = config_field(8, AT_LEAST_1, "tiles")
    """Tiles per side of CLAHE."""

    blur_px: int = config_field(5, ODD, "px")
    """Kernel size of the Gaussian blur; odd."""

    closing_px: int = config_field(7, AT_LEAST_1, "px")
    """Diameter of the elliptical kernel that closes the binary image."""

    def __post_init__(self) -> None:
        require_ranges(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleConfig:
    """CGCM: the ring of a part seen from above or below. The paper gives no numbers.

    All lengths are in pixels of the original image.
    """

    __pydantic_config__ = STRICT_KEYS

    radius_tolerance_px: float = config_field(20.0, ABOVE_0, "px")
    """Delta_r: how far a circle's radius may deviate from the mean radius of the training side."""

    ring_half_width_px: float = config_field(80.0, ABOVE_0, "px")
    """Delta c_r: the ROI reaches this far inside and outside the chosen circle."""

    top_k: int = config_field(5, AT_LEAST_1, "circles")
    """How many of the largest plausible circles are considered; the most central one is chosen."""

    crop_radius: Literal["outer", "inner"] = config_field(
        "outer",
        open_choice=OpenChoice(
            "half side of the ring's crop",
            "the outer circle",
            paper="the inner circle, which crops the ring away",
            source="ours (docs/roi.md)",
        ),
    )
    """Half side of the square crop. The paper's text says `inner`, which crops the ring away."""

    min_coverage: float = config_field(0.5, SHARE)
    """Share of a candidate circle's circumference that must lie on edges."""

    min_area_share: float = config_field(0.02, SHARE)
    """Minimum area of a circle, as a share of the image: rejects dots and screw holes."""

    max_outside_share: float = config_field(0.05, SHARE)
    """Share of the circumference that may lie outside the image; above it, the ring is cut off."""

    refine: bool = True
    """Refit the chosen circle to the edge in the original image (sub-pixel)."""

    canny_low: float = config_field(50.0, AT_LEAST_0, "grey levels")
    """Lower Canny threshold for inverted circles."""

    canny_high: float = config_field(150.0, AT_LEAST_0, "grey levels")
    """Upper Canny threshold for inverted circles."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require(
            self.canny_low <= self.canny_high,
            f"canny_low is {self.canny_low}, above canny_high ({self.canny_high})",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EllipseConfig:
    """EGGCC: the outer diameter seen from the side. The paper gives no numbers.

    All lengths are in pixels of the original image.
    """

    __pydantic_config__ = STRICT_KEYS

    pre_crop_px: tuple[int, int, int, int] = config_field((0, 0, 0, 0), AT_LEAST_0, "px")
    """Cropped from the left, top, right and bottom before ellipse detection."""

    crop_px: tuple[int, int, int, int] = config_field((0, 0, 0, 0), AT_LEAST_0, "px")
    """How far the crop extends left, up, right and down from the reference centre. All 0: derived
    from the mean ellipse of the training side, plus `crop_margin` on every side."""

    crop_margin: float = config_field(0.08, AT_LEAST_0)
    """Margin of a crop derived from the mean ellipse, as a share of the ellipse's extent."""

    min_coverage: float = config_field(0.5, SHARE)
    """Share of a candidate ellipse's boundary that must lie on edges."""

    min_area_share: float = config_field(0.02, SHARE)
    """Minimum area of an ellipse, as a share of the image."""

    min_inside_crop: float = config_field(0.8, SHARE)
    """Share of a sample's own ellipse that must lie inside the crop; below it, there is no ROI."""

    refine: bool = True
    """Refit the chosen ellipse to the edge in the original image (sub-pixel)."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require(
            max(self.crop_px) == 0 or min(self.crop_px) > 0,
            f"crop_px is {list(self.crop_px)}; give four numbers above 0, or 0 to estimate all",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessConfig:
    """Region of interest and brightness fusion (paper, section 3.1)."""

    __pydantic_config__ = STRICT_KEYS

    geometry: Mapping[str, Geometry] = field(
        default_factory=lambda: {"LC": "circle", "SC": "inverted_circle", "OD": "ellipse"},
        metadata=Setting(paper="3.1").metadata,
    )
    """Part -> geometry; parts that are not listed are used uncropped (`none`)."""

    mid_level_parts: tuple[str, ...] = config_field(("LC", "SC"), paper="3.1")
    """Parts whose brightness 2 is almost black: their channels are b0, mean(b0, b1), b1."""

    levels: tuple[Channel, ...] = added_later(config_field(()), reference=[])
    """What becomes the channels of a part with several brightness levels: one to three of level
    numbers and `mean`, `max`, `std`, `ratio` over all levels. Empty: the first three levels;
    a part with more is then refused."""

    bits: Mapping[str, int] | None = added_later(config_field(None), reference=None)
    """Part -> bits that its 16-bit files use, 8 to 16, such as {LC: 12}; a part that is not named
    is judged by its training files. None: no part is named."""

    void_value: int | None = added_later(config_field(None, AT_LEAST_1), reference=None)
    """Number in masks that means neither normal nor anomalous, such as the 255 of Pascal VOC's
    palettes; such pixels count as unmarked. None: there is none."""

    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    circle: CircleConfig = field(default_factory=CircleConfig)
    ellipse: EllipseConfig = field(default_factory=EllipseConfig)

    def __post_init__(self) -> None:
        require_ranges(self)
        numbers = [level for level in self.levels if isinstance(level, int)]
        require(
            len(self.levels) <= 3 and min(numbers, default=0) >= 0,
            f"levels is {list(self.levels)}; one to three of level numbers from 0 up, mean, max, "
            "std, ratio",
        )
        depths = dict(self.bits or {})
        require(
            all(8 <= bits <= 16 for bits in depths.values()),
            f"bits is {depths}; each must be 8 to 16",
        )

    def geometry_of(self, part: str) -> Geometry:
        """How the region of interest of `part` is found."""
        return self.geometry.get(part, "none")
