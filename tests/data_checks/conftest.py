"""Drawn images with grain of their own, so that every two of them are different things."""

from pathlib import Path

import cv2
import numpy as np
import pytest

SIDE = 160


def plate(seed: int, *, light: float = 0.0) -> np.ndarray:
    """A sheet with scratches and grain; `light` turns the lamp, from left (-1) to right (1)."""
    rng = np.random.default_rng(seed)
    coarse, fine = rng.normal(size=(2, SIDE, SIDE))
    image = 110 + 90 * cv2.GaussianBlur(coarse, (0, 0), 5) + 12 * cv2.GaussianBlur(fine, (0, 0), 1)
    for x, y in rng.integers(20, SIDE - 20, (6, 2)):
        cv2.circle(
            image, (int(x), int(y)), int(rng.integers(3, 9)), float(rng.integers(40, 200)), 1
        )
    image = image + 40 * light * np.linspace(-1, 1, SIDE)
    return np.clip(image, 0, 255).astype(np.uint8)


def before_lamps(seed: int) -> np.ndarray:
    """A grainy disc, always in the same place, before one and the same field of lamps."""
    scene = np.full((SIDE, SIDE), 40.0)
    for y in range(8, SIDE, 14):
        for x in range(8 + y % 3, SIDE, 13):
            cv2.circle(scene, (x, y), 4, 220, -1)
    disc = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(disc, (SIDE // 2, SIDE // 2), 60, 1, -1)
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(size=scene.shape), (0, 0), 1.2)
    scene = np.where(disc > 0, 120 + 60 * grain, scene) + rng.normal(size=scene.shape)
    return np.clip(scene, 0, 255).astype(np.uint8)


@pytest.fixture
def plates(tmp_path):
    """Writes a part of plates as folders; returns the data set's root."""

    def make(*, train=6, test=3, name="data", levels=1) -> Path:
        for split, count, first in (("train", train, 0), ("test", test, 100)):
            for seed in range(first, first + count):
                write(tmp_path / name / "lid", split, f"s{seed}", plate(seed), levels=levels)
        return tmp_path / name

    return make


def write(part: Path, split: str, name: str, image: np.ndarray, *, levels=1, kind="good") -> Path:
    folder = part / split / kind
    folder.mkdir(parents=True, exist_ok=True)
    for level in range(levels):
        ending = f"_b{level}" if levels > 1 else ""
        file = folder / f"{name}{ending}.png"
        cv2.imwrite(str(file), (image * (1 - 0.3 * level)).astype(np.uint8))
    return folder / f"{name}{'_b0' if levels > 1 else ''}.png"
