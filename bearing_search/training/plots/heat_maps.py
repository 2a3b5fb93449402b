"""A picture of the held-out samples with their anomaly maps.

Axis letters: n samples, s side of the input in pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from bearing_search.evaluation.predictions import Predictions
from bearing_search.filesystem.atomic import write_atomically

_PICTURE_ROWS = 6

_CELL_PX = 224

_CAPTION_PX = 20


def heat_map_picture(
    predictions: Predictions, pixels: UInt8[np.ndarray, "n s s 3"], *, file: Path
) -> None:
    """PNG with a row per sample: input, mask outlined, map. One colour scale for all rows.

    Anomalous samples come first, those with the highest scores among them on top; two normal
    samples with the highest scores close the picture.
    """
    shown = _shown(predictions)
    low, high = np.quantile(predictions.maps, 0.5), predictions.maps.max()
    rows = [_header()]
    for index in shown:
        image = cv2.resize(pixels[index], (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(
            predictions.masks[index].astype(np.uint8),
            (_CELL_PX, _CELL_PX),
            interpolation=cv2.INTER_AREA,
        )
        level = np.clip((predictions.maps[index] - low) / max(high - low, 1e-12), 0, 1)
        colours = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        heat = cv2.resize(colours, (_CELL_PX, _CELL_PX))
        outlined = image[..., ::-1].copy()
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, contours, -1, (80, 220, 80), 1)
        cells = [image[..., ::-1].copy(), outlined, heat]
        rows.append(np.hstack([_captioned(cells[0], predictions, index), *cells[1:]]))
    encoded = cv2.imencode(".png", np.vstack(rows))[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, encoded.tobytes())


def _shown(predictions: Predictions) -> Sequence[int]:
    order = np.argsort(-predictions.image_scores, kind="stable")
    anomalous = [int(i) for i in order if predictions.is_anomalous[i]]
    normal = [int(i) for i in order if not predictions.is_anomalous[i]]
    return anomalous[: _PICTURE_ROWS - 2] + normal[:2]


def _captioned(
    image: UInt8[np.ndarray, "h w 3"], predictions: Predictions, index: int
) -> UInt8[np.ndarray, "h w 3"]:
    text = f"{predictions.names[index].split('/', 2)[2]}  {predictions.image_scores[index]:.3f}"
    image[:_CAPTION_PX] //= 3
    cv2.putText(image, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
    return image


def _header() -> UInt8[np.ndarray, "h w 3"]:
    strip = np.zeros((_CAPTION_PX, 3 * _CELL_PX, 3), dtype=np.uint8)
    for column, title in enumerate(("input, image score", "ground truth", "anomaly map")):
        place = (column * _CELL_PX + 4, 14)
        cv2.putText(strip, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
    return strip
