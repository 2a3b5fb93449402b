"""What lies behind a rendered part: bench, fixture, LED dots, other parts cut off at the border.

Axis letters: h, w rows and columns.
"""

import math

import cv2
import numpy as np
from jaxtyping import Float

from bearing_search.data.demo_scene import HEIGHT, WIDTH

Grid = Float[np.ndarray, "h w"]


def bench(rng: np.random.Generator, *, dark: float, bright: float, grain: float) -> Grid:
    """A ground with uneven light and a grain, brightness from `dark` to `bright`."""
    coarse = cv2.resize(
        rng.uniform(0.0, 1.0, (4, 5)).astype(np.float32),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    fine = cv2.GaussianBlur(
        rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32), (0, 0), sigmaX=6.0, sigmaY=0.8
    )
    ground: Grid = dark + (bright - dark) * np.clip(coarse, 0.0, 1.0) + grain * 2.0 * fine
    return np.clip(ground, 0.0, None)


def add_led_dots(image: Grid, rng: np.random.Generator, *, clear_px: float) -> None:
    """Rings of bright dots around the picture's middle, beyond `clear_px`: a ring light mirrored."""
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


def add_fixture(image: Grid, rng: np.random.Generator, *, number: int) -> None:
    """Bars, plates and screw heads, out of focus."""
    layer, cover = np.zeros_like(image), np.zeros_like(image)
    for _ in range(number):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        size = (rng.uniform(40, 380), rng.uniform(25, 110))
        corners = cv2.boxPoints(((x, y), size, rng.uniform(0, 180))).astype(np.int32)
        value = float(rng.uniform(0.08, 0.7))
        cv2.fillPoly(layer, [corners], value)
        cv2.fillPoly(cover, [corners], 1.0)
        cv2.polylines(layer, [corners], True, min(1.0, value + 0.3), 2)
        for _ in range(int(rng.integers(0, 3))):
            at = (int(x + rng.uniform(-90, 90)), int(y + rng.uniform(-90, 90)))
            radius = int(rng.integers(6, 14))
            cv2.circle(layer, at, radius, float(rng.uniform(0.1, 0.8)), -1)
            cv2.circle(cover, at, radius, 1.0, -1)
    blur = rng.uniform(1.0, 3.0)
    layer, cover = (cv2.GaussianBlur(each, (0, 0), blur) for each in (layer, cover))
    image *= 1.0 - cover
    image += layer


def add_neighbour(image: Grid, rng: np.random.Generator, *, radius: float, value: float) -> None:
    """Another ring of the batch, most of it beyond the left or right border."""
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
    """The part's soft shadow, thrown by (dx, dy) pixels."""
    solid = (level < 1.0).astype(np.float32)
    moved = cv2.warpAffine(solid, np.float32([[1, 0, dx], [0, 1, dy]]), (WIDTH, HEIGHT))
    small = cv2.resize(moved, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), (WIDTH, HEIGHT))
    image *= 1.0 - depth * soft
