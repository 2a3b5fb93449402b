"""Pictures and masks of the sets that are written here.

Every picture is 40x32 noise, no two alike; every defect is a bright box of 6x5: 30 pixels.
"""

from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 6, 5
VALIDATION, TEST, DEFECTS, TEST_DEFECTS = 1000, 2000, 3000, 4000
"""Numbers of the first picture of each kind; those of normal ones in train begin at 0."""


def corner(number: int) -> tuple[int, int]:
    """Column and row of the defect in that picture, at least 1 px from each side."""
    x, y = np.random.default_rng((number, 1)).integers(1, (34, 27))
    return int(x), int(y)


def box(number: int) -> np.ndarray:
    x, y = corner(number)
    marked = np.zeros((32, 40), bool)
    marked[y : y + HEIGHT, x : x + WIDTH] = True
    return marked


def outline(number: int) -> list[list[int]]:
    x, y = corner(number)
    right, bottom = x + WIDTH - 1, y + HEIGHT - 1
    return [[x, y], [right, y], [right, bottom], [x, bottom]]


def picture(file: Path, number: int = 0, *, value: int = 100) -> Path:
    """Write a picture, with a defect from number `DEFECTS` on; one number is one thing."""
    content = np.random.default_rng((number, 0)).normal(0, 6, (32, 40)) + value
    if number >= DEFECTS:
        content[box(number)] += 50
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.clip(content, 0, 255).astype(np.uint8))
    return file


def mask(file: Path, marked: np.ndarray, value: int = 255) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), marked.astype(np.uint8) * value)
