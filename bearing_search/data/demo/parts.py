"""The three parts of the demo set, and how one sample of each is rendered.

LC and SC are the large and the small end face of a tapered inner ring, seen from above and below;
OD is its raceway, seen obliquely from the small end. Axis letters: h, w rows and columns.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.data.demo.background import (
    add_fixture,
    add_led_dots,
    add_neighbour,
    add_shadow,
    bench,
)
from bearing_search.data.demo.dents import KINDS, Kind, make_dent
from bearing_search.data.demo.profiles import BANDS, EXPOSURES, STEEPNESS
from bearing_search.data.demo.scene import (
    HEIGHT,
    WIDTH,
    Light,
    Pose,
    Slopes,
    Surface,
    expose,
    groove_slopes,
    profile,
    shade,
    surface_of,
)

Grid = Float[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One sample: its levels, its mask, and its true outline."""

    levels: tuple[UInt8[np.ndarray, "h w"], ...]
    mask: Bool[np.ndarray, "h w"]
    pose: Pose


def render(
    part: str,
    defect: Kind | None,
    *,
    ring_rng: np.random.Generator,
    rng: np.random.Generator,
) -> Rendered:
    """Render one sample.

    Args:
        part: LC, SC or OD.
        defect: kind of defect; None for a normal sample.
        ring_rng: for what all views of one ring share: its steel.
        rng: for what differs in each view.
    """
    steel = ring_rng.uniform(0.9, 1.1)
    marks = ring_rng.uniform(0.8, 1.25)
    along_axis = part == "OD"
    pose = _pose(part, rng)
    surface = surface_of(pose)
    slope, reflectance, grooves = profile(surface, BANDS[part], edge=1.5 / pose.half_width)
    groove = marks * grooves * groove_slopes(surface, rng, along_axis=along_axis)
    slope_x, slope_y = _waviness(rng)
    around = groove if along_axis else np.zeros_like(groove)
    slope_x -= around * surface.out_y
    slope_y += around * surface.out_x
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    reflectance = reflectance * steel * _stains(rng)
    if defect is not None:
        dent = make_dent(
            defect,
            at=_place(part, surface, rng),
            area_px=_area(defect, rng),
            steepness=rng.uniform(*STEEPNESS[part]),
            allowed=_dentable(part, surface),
            rng=rng,
        )
        slope_x, slope_y, mask = slope_x + dent.slope_x, slope_y + dent.slope_y, dent.mask
        reflectance = reflectance * (1.0 - 0.25 * dent.depth)
    metal = shade(
        surface,
        _light(part, rng),
        Slopes(outwards=slope if along_axis else slope + groove, x=slope_x, y=slope_y),
        reflectance=reflectance,
        along_axis=along_axis,
    )
    scene = _background(part, surface, rng)
    cover = np.clip((1.0 - surface.level) * pose.half_width + 0.5, 0.0, 1.0)
    if part == "SC":  # the bright background shows through the bore
        bore = BANDS[part][0].stop
        cover *= np.clip((surface.level - bore) * pose.half_width + 0.5, 0.0, 1.0)
    scene = scene * (1.0 - cover) + metal * cover
    gain = rng.uniform(0.75, 1.25) if along_axis else rng.uniform(0.93, 1.07)
    return Rendered(
        levels=tuple(expose(scene, gain * exposure, rng) for exposure in EXPOSURES[part]),
        mask=mask,
        pose=pose,
    )


def kind_of(index: int) -> Kind:
    """The kind of the n-th defect: kinds alternate, so that every part has all of them."""
    return KINDS[index % len(KINDS)]


def _pose(part: str, rng: np.random.Generator) -> Pose:
    x, y = WIDTH / 2 + rng.normal(0.0, 6.0), HEIGHT / 2 + rng.normal(0.0, 5.0)
    if part == "OD":
        half_height = 262.0 * rng.normal(1.0, 0.012)
        half_width = half_height / (1.55 * rng.normal(1.0, 0.02))
        return Pose(
            x=x,
            y=y,
            half_width=half_width,
            half_height=half_height,
            axis_shift=0.3 * half_width * rng.normal(1.0, 0.05),
            tilt_deg=rng.normal(0.0, 1.5),
        )
    radius = (235.0 if part == "LC" else 195.0) * rng.normal(1.0, 0.006)
    return Pose(x=x, y=y, half_width=radius, half_height=radius, axis_shift=0.0, tilt_deg=0.0)


def _light(part: str, rng: np.random.Generator) -> Light:
    if part == "OD":
        angle, lean = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.35)
        return Light(
            x=lean * math.cos(angle),
            y=lean * math.sin(angle),
            along=rng.uniform(0.25, 0.4),
            across=0.5,
            diffuse=rng.uniform(0.35, 0.6),
            highlight=rng.uniform(0.5, 0.9),
        )
    angle, lean = rng.normal(-0.7, 0.12), rng.normal(0.22, 0.02)
    return Light(
        x=lean * math.cos(angle),
        y=lean * math.sin(angle),
        along=0.22,
        across=0.5,
        diffuse=0.55,
        highlight=0.6,
    )


def _background(part: str, surface: Surface, rng: np.random.Generator) -> Grid:
    match part:
        case "LC":
            scene = bench(rng, dark=0.1, bright=0.2, grain=0.01)
            add_fixture(scene, rng, number=1, bright=0.3, clear_px=240)
            add_led_dots(scene, rng, clear_px=rng.uniform(320, 350))
        case "SC":
            scene = bench(rng, dark=0.7, bright=0.95, grain=0.02)
            add_fixture(scene, rng, number=1, bright=0.7, clear_px=260)
        case _:
            dark = rng.uniform(0.03, 0.5)
            scene = bench(rng, dark=dark, bright=dark + rng.uniform(0.05, 0.5), grain=0.03)
            add_fixture(scene, rng, number=int(rng.integers(1, 4)), bright=0.6, clear_px=200)
            if rng.random() < 0.35:
                add_led_dots(scene, rng, clear_px=rng.uniform(290, 360))
    if rng.random() < 0.4:
        add_neighbour(scene, rng, radius=rng.uniform(170, 240), value=rng.uniform(0.3, 0.8))
    angle = rng.uniform(0.0, 2 * math.pi)
    add_shadow(scene, surface.level, dx=9 * math.cos(angle), dy=9 * math.sin(angle), depth=0.45)
    return scene


def _waviness(rng: np.random.Generator) -> tuple[Grid, Grid]:
    """Slopes of a surface that is slightly uneven, over tens of pixels."""
    height = cv2.resize(
        rng.standard_normal((HEIGHT // 40, WIDTH // 40)).astype(np.float32),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    slope_y, slope_x = np.gradient(height)
    return 0.8 * slope_x, 0.8 * slope_y


def _stains(rng: np.random.Generator) -> Grid:
    """Oil films and dust, on normal and anomalous rings alike, as a factor."""
    film = cv2.resize(
        rng.standard_normal((8, 10)).astype(np.float32),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    dust = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    for _ in range(int(rng.poisson(10))):
        at = (int(rng.uniform(0, WIDTH)), int(rng.uniform(0, HEIGHT)))
        cv2.circle(dust, at, int(rng.integers(1, 3)), float(rng.uniform(-0.4, 0.3)), -1)
    stained: Grid = 1.0 + 0.05 * film + cv2.GaussianBlur(dust, (0, 0), 0.8)
    return stained


def _dentable(part: str, surface: Surface) -> Bool[np.ndarray, "h w"]:
    (band,) = [band for band in BANDS[part] if band.holds_dents]
    return (surface.level >= band.start) & (surface.level < band.stop)


def _place(part: str, surface: Surface, rng: np.random.Generator) -> tuple[float, float]:
    """A point well within the band that can be dented."""
    (band,) = [band for band in BANDS[part] if band.holds_dents]
    margin = 0.25 * (band.stop - band.start)
    inside = (surface.level > band.start + margin) & (surface.level < band.stop - margin)
    places = np.flatnonzero(inside)
    row, column = divmod(int(rng.choice(places)), WIDTH)
    return float(column), float(row)


def _area(defect: Kind, rng: np.random.Generator) -> float:
    """From .02 to 1 % of the image, small ones more often."""
    low, high = {"nick": (160.0, 1200.0), "dent": (300.0, 4800.0), "scratch": (250.0, 2000.0)}[
        defect
    ]
    return math.exp(rng.uniform(math.log(low), math.log(high)))
