"""The background of a rendered part: bench, fixture, LED dots, other parts cut off by the border.

Axis letters: h, w rows and columns.
"""

import math

import cv2
import numpy as np
from jaxtyping import Float

from bearing_search.data.demo.scene import HEIGHT, WIDTH

Grid = Float[np.ndarray, "h w"]


def bench(rng: np.random.Generator, *, dark: float, bright: float, grain: float) -> Grid:
    """A grainy surface in uneven light, with brightness from `dark` to `bright`."""
    coarse = cv2.resize(
        rng.uniform(0.0, 1.0, (4, 5)).astype(np.float32),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    fine = cv2.GaussianBlur(
        rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32), (0, 0), sigmaX=6.0, sigmaY=0.8
    )
    ground: Grid = dark + (bright - dark) * np.clip(coarse, 0.0, 1.0) + grain * 2.0 * fine
    lit: Grid = np.maximum(ground, np.float32(0.0))
    return lit


def add_led_dots(image: Grid, rng: np.random.Generator, *, clear_px: float) -> None:
    """Add rings of bright dots around the image's centre: a ring light reflected by the bench.

    Args:
        clear_px: radius within which there are none.
    """
    x, y = WIDTH / 2 + rng.uniform(-15, 15), HEIGHT / 2 + rng.uniform(-15, 15)
    layer = np.zeros_like(image)
    radius, spacing = clear_px, rng.uniform(24.0, 30.0)
    while radius < math.hypot(WIDTH, HEIGHT) / 2:
        number = int(2 * math.pi * radius / spacing)
        phase = rng.uniform(0.0, 2 * math.pi)
        for turn in phase + 2 * math.pi * np.arange(number) / number:
            at = (int(x + radius * math.cos(turn)), int(y + radius * math.sin(turn)))
            cv2.circle(layer, at, int(rng.integers(5, 8)), 1.0, -1)
        radius += spacing * 0.95
    image += rng.uniform(0.8, 1.2) * cv2.GaussianBlur(layer, (0, 0), 4.0)


def add_fixture(
    image: Grid, rng: np.random.Generator, *, number: int, bright: float, clear_px: float
) -> None:
    """Add rails, clamps and screw heads, out of focus, each with light falling off along it.

    Args:
        number: of rails and clamps.
        bright: brightness of the brightest.
        clear_px: anything closer than this to the image's centre is left out.
    """
    layer, cover = np.zeros_like(image), np.zeros_like(image)
    columns = np.linspace(-1.0, 1.0, WIDTH, dtype=np.float32)[None]
    rows = np.linspace(-1.0, 1.0, HEIGHT, dtype=np.float32)[:, None]
    for _ in range(number):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        size = (rng.uniform(150, 900), rng.uniform(30, 120))
        box = cv2.boxPoints(((x, y), size, rng.choice([0, 90]) + rng.normal(0, 12)))
        middle = (WIDTH / 2, HEIGHT / 2)
        if clear_px > 0 and clear_px > -cv2.pointPolygonTest(box, middle, True):
            continue
        shape = np.zeros_like(image)
        cv2.fillPoly(shape, [(box * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        angle, value = rng.uniform(0, 2 * math.pi), rng.uniform(0.15, 1.0) * bright
        light = value * (1 + 0.5 * (columns * math.cos(angle) + rows * math.sin(angle)))
        layer = layer * (1 - shape) + shape * light
        cover = np.maximum(cover, shape)
        for _ in range(int(rng.integers(0, 3))):
            along = rng.uniform(-0.4, 0.4)
            at = box.mean(axis=0) + along * (box[1] - box[0])
            _add_screw(layer, (int(at[0]), int(at[1])), rng, value)
    blur = rng.uniform(1.5, 4.0)
    layer, cover = (cv2.GaussianBlur(each, (0, 0), blur) for each in (layer, cover))
    image *= 1.0 - cover
    image += layer * cover


def _add_screw(layer: Grid, at: tuple[int, int], rng: np.random.Generator, value: float) -> None:
    """Draw a hexagon socket: bright rim, dark hole."""
    radius = int(rng.integers(9, 18))
    cv2.circle(layer, at, radius, 1.5 * value, -1, cv2.LINE_AA)
    cv2.circle(layer, at, max(2, radius - 3), 0.9 * value, -1, cv2.LINE_AA)
    cv2.circle(layer, at, radius // 2, 0.15 * value, -1, cv2.LINE_AA)


def add_neighbour(image: Grid, rng: np.random.Generator, *, radius: float, value: float) -> None:
    """Add another ring of the batch, mostly beyond the left or right border."""
    side = rng.choice([-1, 1])
    inside = rng.uniform(0.05, 0.3) * radius
    x = WIDTH / 2 + side * (WIDTH / 2 + radius - inside)
    at = (int(x), int(rng.uniform(0.2, 0.8) * HEIGHT))
    layer, cover = np.zeros_like(image), np.zeros_like(image)
    cv2.circle(layer, at, int(radius), value, -1, cv2.LINE_AA)
    cv2.circle(layer, at, int(0.95 * radius), 0.8 * value, -1, cv2.LINE_AA)
    cv2.circle(layer, at, int(0.68 * radius), 0.05, -1, cv2.LINE_AA)
    cv2.circle(cover, at, int(radius), 1.0, -1, cv2.LINE_AA)
    image *= 1.0 - cv2.GaussianBlur(cover, (0, 0), 1.5)
    image += cv2.GaussianBlur(layer, (0, 0), 1.5)


def add_shadow(image: Grid, level: Grid, *, dx: float, dy: float, depth: float) -> None:
    """Add the part's soft shadow, offset by (dx, dy) pixels."""
    solid = (level < 1.0).astype(np.float32)
    shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    moved = cv2.warpAffine(solid, shift, (WIDTH, HEIGHT))
    small = cv2.resize(moved, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), 4.0), (WIDTH, HEIGHT))
    image *= 1.0 - depth * soft
