from pathlib import Path

import cv2
import numpy as np
import pytest

from bearing_search.data.samples import Sample

WIDTH, HEIGHT = 400, 320


def draw_ring(
    x=200.0, y=160.0, radius=100.0, *, width=WIDTH, height=HEIGHT, inner=0.75, face=170, ground=40
):
    """A ring drawn at four times the size, so that its edge is right to a fraction of a pixel."""
    fine = np.full((height * 4, width * 4), ground, dtype=np.uint8)
    centre = (round((x + 0.5) * 4 - 0.5), round((y + 0.5) * 4 - 0.5))
    cv2.circle(fine, centre, round(radius * 4), face, -1)
    cv2.circle(fine, centre, round(radius * inner * 4), ground, -1)
    image = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def draw_ellipse(x=200.0, y=160.0, half=(60.0, 120.0), *, face=170, ground=60):
    fine = np.full((HEIGHT * 4, WIDTH * 4), ground, dtype=np.uint8)
    centre = (round((x + 0.5) * 4 - 0.5), round((y + 0.5) * 4 - 0.5))
    cv2.ellipse(fine, centre, (round(half[0] * 4), round(half[1] * 4)), 0, 0, 360, face, -1)
    image = cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


@pytest.fixture
def save(tmp_path):
    """Writes levels (and a mask) and returns their sample."""

    def make(name, levels, mask=None, part="LC", split="train") -> Sample:
        files = []
        for number, level in enumerate(levels):
            file = tmp_path / f"{name}_b{number}.png"
            cv2.imwrite(str(file), level if level.ndim == 2 else level[..., ::-1])
            files.append(file)
        mask_file: Path | None = None
        if mask is not None:
            mask_file = tmp_path / f"{name}_mask.png"
            cv2.imwrite(str(mask_file), mask.astype(np.uint8) * 255)
        return Sample(
            part=part,
            split=split,
            defect="good" if mask is None else "dent",
            name=name,
            group=name,
            is_anomalous=mask is not None,
            level_files=tuple(files),
            mask_file=mask_file,
        )

    return make
