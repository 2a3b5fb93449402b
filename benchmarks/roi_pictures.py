"""Pictures for the ROI benchmark: perturbed real rings and rendered tall ellipses."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bearing_search.data.samples import read_image
from bearing_search.preprocess.shapes import Circle, Ellipse

KINDS = ("shift", "scale", "gamma", "noise", "jpeg", "rotation", "neighbour")
NUM_VARIANTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A picture with its true circle and the perturbations applied."""

    image: np.ndarray
    circle: Circle
    kinds: tuple[str, ...]


def variant(
    image: np.ndarray, circle: Circle, other: tuple[np.ndarray, Circle], index: int, seed: int
) -> Variant:
    """A perturbed picture: variants 0 to 6 have one kind each, others each with probability .5."""
    rng = np.random.default_rng([seed, index])
    kinds = (KINDS[index],) if index < len(KINDS) else tuple(k for k in KINDS if rng.random() < 0.5)
    image, circle = _moved(image, circle, kinds, rng)
    if "neighbour" in kinds:
        image = _with_neighbour(image, circle, other, rng)
    if "gamma" in kinds:
        gamma = 2.0 ** rng.uniform(-1, 1)
        image = np.rint(255.0 * (image / 255.0) ** gamma).astype(np.uint8)
    if "noise" in kinds:
        noisy = image + rng.normal(0.0, 8.0, image.shape)
        image = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if "jpeg" in kinds:
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])
        image = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    return Variant(image=image, circle=circle, kinds=kinds)


def _moved(
    image: np.ndarray, circle: Circle, kinds: tuple[str, ...], rng: np.random.Generator
) -> tuple[np.ndarray, Circle]:
    """Scale, rotate and shift, keeping the ring at least 4 px inside the picture."""
    height, width = image.shape
    largest = (min(height, width) / 2 - 4) / circle.radius
    scale = min(rng.uniform(0.5, 1.5), largest) if "scale" in kinds else 1.0
    angle = rng.uniform(0, 360) if "rotation" in kinds else 0.0
    radius = scale * circle.radius
    x, y = circle.x, circle.y
    if "shift" in kinds:
        x += rng.uniform(-0.25, 0.25) * width
        y += rng.uniform(-0.25, 0.25) * height
    x = float(np.clip(x, radius + 4, width - 5 - radius))
    y = float(np.clip(y, radius + 4, height - 5 - radius))
    matrix = cv2.getRotationMatrix2D((circle.x, circle.y), angle, scale)
    matrix[:, 2] += (x - circle.x, y - circle.y)
    border = rng.choice([cv2.BORDER_REFLECT, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT])
    moved = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_AREA, borderMode=int(border)
    )
    return moved, Circle(x=x, y=y, radius=radius)


def _with_neighbour(
    image: np.ndarray, circle: Circle, other: tuple[np.ndarray, Circle], rng: np.random.Generator
) -> np.ndarray:
    """Paste a second ring, cut off by the left or right border, without touching the first."""
    height, width = image.shape
    second, at = other
    side = 1 if circle.x < width / 2 else -1
    room = width - (circle.x + circle.radius) if side > 0 else circle.x - circle.radius
    visible = min(room - 6, rng.uniform(0.1, 0.6) * 2 * at.radius)
    if visible < 10:
        return image
    x = width - visible + at.radius if side > 0 else visible - at.radius
    matrix = np.array([[1, 0, x - at.x], [0, 1, rng.uniform(-150, 150)]], dtype=np.float32)
    pasted = cv2.warpAffine(second, matrix, (width, height))
    disk = np.zeros_like(second)
    cv2.circle(disk, (round(at.x), round(at.y)), round(at.radius) + 2, 255, -1)
    return np.where(cv2.warpAffine(disk, matrix, (width, height)) > 127, pasted, image)


def tall_ellipse(seed: int) -> tuple[np.ndarray, Ellipse, float]:
    """A tall bright or dark ellipse on clutter; also its contrast in grey levels."""
    rng = np.random.default_rng(seed)
    height, width = 1024, 1280
    half_height = rng.uniform(250, 470)
    half_width = half_height / rng.uniform(1.2, 3.0)
    shape = Ellipse(
        x=width / 2 + rng.uniform(-150, 150),
        y=height / 2 + rng.uniform(-1, 1) * (height / 2 - half_height - 12),
        semi_major=half_height,
        semi_minor=half_width,
        angle_deg=90.0 + rng.uniform(-8, 8),
    )
    contrast = math.exp(rng.uniform(math.log(12), math.log(120)))
    ground = rng.uniform(40, 200 - contrast if contrast < 120 else 80)
    image: np.ndarray = np.full((height, width), ground, dtype=np.float32)
    image += cv2.resize(rng.normal(0, 8, (5, 6)).astype(np.float32), (width, height))
    for _ in range(int(rng.integers(0, 14))):
        corners = cv2.boxPoints(
            (
                (rng.uniform(0, width), rng.uniform(0, height)),
                (rng.uniform(30, 400), rng.uniform(20, 120)),
                rng.uniform(0, 180),
            )
        )
        cv2.fillPoly(image, [corners.astype(np.int32)], float(rng.uniform(20, 235)))
    sign = 1 if ground + contrast < 235 else -1
    inside = (
        ground + sign * contrast + rng.uniform(-0.3, 0.3) * contrast * np.linspace(-1, 1, width)
    )
    cover = np.zeros((height, width), dtype=np.uint8)
    points = (shape.boundary(720) * 16).astype(np.int32)
    cv2.fillPoly(cover, [points], 255, cv2.LINE_AA, 4)
    share = cover.astype(np.float32) / 255
    image = image * (1 - share) + inside.astype(np.float32) * share
    bore = shape.boundary(360)
    bore = (bore - (shape.x, shape.y)) * rng.uniform(0.2, 0.7) + (shape.x, shape.y)
    cv2.fillPoly(image, [bore.astype(np.int32)], float(rng.uniform(10, 60)))
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 2.0))
    image += rng.normal(0, rng.uniform(1, 5), image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), shape, contrast


def shadowed_disc(seed: int) -> tuple[np.ndarray, Ellipse, bool]:
    """A disc on even ground that casts a shadow; also whether it is brighter than the ground."""
    rng = np.random.default_rng([7, seed])
    side = 512
    half_height = rng.uniform(170, 225)
    shape = Ellipse(
        semi_major=half_height,
        semi_minor=half_height / rng.uniform(1.0, 1.6),
        x=side / 2 + rng.uniform(-20, 20),
        y=side / 2 + rng.uniform(-1, 1) * (side / 2 - half_height - 25),
        angle_deg=90 + rng.uniform(-8, 8),
    )
    ground = rng.uniform(110, 200)
    is_bright = rng.random() >= 0.3
    face = min(245, ground + rng.uniform(15, 60)) if is_bright else ground - rng.uniform(20, 60)
    image = np.full((side, side), ground, dtype=np.float32)
    image += cv2.resize(rng.normal(0, 5, (4, 4)).astype(np.float32), (side, side))
    reach, turn, blur = rng.uniform(8, 22), rng.uniform(0, 2 * math.pi), rng.uniform(0.8, 4)
    cast = _cover(shape, side, shift=(reach * math.cos(turn), reach * math.sin(turn)))
    image *= 1 - cv2.GaussianBlur(cast, (0, 0), blur) * rng.uniform(0.25, 0.6)
    shade = face + rng.uniform(-0.2, 0.2) * 30 * np.linspace(-1, 1, side, dtype=np.float32)
    cover = _cover(shape, side)
    image = image * (1 - cover) + shade * cover
    if rng.random() < 0.6:
        chamfer = _cover(shape, side, share=rng.uniform(0.86, 0.95))
        image += rng.uniform(-25, 25) * chamfer
    bore = _cover(shape, side, share=rng.uniform(0.15, 0.5))
    image = image * (1 - bore) + rng.uniform(15, 70) * bore
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 1.5))
    image += rng.normal(0, rng.uniform(1, 4), image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), shape, is_bright


def _cover(
    shape: Ellipse, side: int, *, share: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Share of each pixel that the ellipse covers, shrunk by `share` and moved by `shift`."""
    centre = np.array([shape.x, shape.y])
    points = (shape.boundary(720) - centre) * share + centre + shift
    cover = np.zeros((side, side), dtype=np.uint8)
    cv2.fillPoly(cover, [(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cover.astype(np.float32) / 255


def rings(folder: Path) -> list[tuple[str, np.ndarray, Circle]]:
    """Name, picture and true outer circle of every ring."""
    import json

    truth = json.loads((folder / "circles.json").read_text())
    return [
        (
            name,
            read_image(folder / name),
            Circle(x=facts["outer"]["cx"], y=facts["outer"]["cy"], radius=facts["outer"]["r"]),
        )
        for name, facts in sorted(truth.items())
    ]
