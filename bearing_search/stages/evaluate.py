"""Detection of held-out samples -> scores and a picture.

Axis letters: n samples, s side of the input in pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from bearing_search.config import TrialConfig
from bearing_search.maps import Rendering, render
from bearing_search.stages.detection import Detection
from bearing_search.stages.files import write_atomically
from bearing_search.stages.scored import Scored, save_scored
from bearing_search.stages.unit import HeldOut

_PICTURE_ROWS = 6
_CELL_PX = 224
_CAPTION_PX = 20


def evaluate(held_out: HeldOut, found: Detection, config: TrialConfig, *, file: Path) -> Scored:
    """Score the held-out samples, and keep the result in `file`.

    Args:
        found: distances of the held-out samples, or of their brightness images, in order.
    """
    count = len(held_out.samples)
    distances = found.distances.reshape(count, -1, *found.distances.shape[1:])
    own_scores = None if found.own_scores is None else found.own_scores.reshape(count, -1)
    rendering = Rendering(
        detector=config.detector,
        fusion=config.fusion,
        input_px=config.encoder.input_px,
        map_px=config.protocol.map_px,
        postprocess=config.postprocess,
    )
    rendered = render(distances, own_scores, rendering)
    scored = Scored(
        distances=distances,
        own_scores=own_scores,
        rendering=rendering,
        maps=rendered.maps,
        image_scores=rendered.image_scores,
        masks=held_out.map_masks,
        is_anomalous=held_out.is_anomalous,
        groups=tuple(sample.group for sample in held_out.samples),
        names=tuple(sample.title for sample in held_out.samples),
        lost_regions=held_out.lost_regions,
        unreachable_regions=held_out.unreachable_regions,
        num_no_roi=len(held_out.no_roi),
    )
    save_scored(scored, file)
    return scored


def heat_map_picture(scored: Scored, pixels: UInt8[np.ndarray, "n s s 3"], *, file: Path) -> None:
    """PNG with a row per sample: input, mask outlined, map. One colour scale for all rows.

    Anomalous samples come first, those with the highest scores among them on top; two normal
    samples with the highest scores close the picture.
    """
    shown = _shown(scored)
    low, high = np.quantile(scored.maps, 0.5), scored.maps.max()
    rows = [_header()]
    for index in shown:
        image = cv2.resize(pixels[index], (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(
            scored.masks[index].astype(np.uint8), (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA
        )
        level = np.clip((scored.maps[index] - low) / max(high - low, 1e-12), 0, 1)
        colours = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        heat = cv2.resize(colours, (_CELL_PX, _CELL_PX))
        outlined = image[..., ::-1].copy()
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, contours, -1, (80, 220, 80), 1)
        cells = [image[..., ::-1].copy(), outlined, heat]
        rows.append(np.hstack([_captioned(cells[0], scored, index), *cells[1:]]))
    encoded = cv2.imencode(".png", np.vstack(rows))[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, encoded.tobytes())


def _shown(scored: Scored) -> Sequence[int]:
    order = np.argsort(-scored.image_scores, kind="stable")
    anomalous = [int(i) for i in order if scored.is_anomalous[i]]
    normal = [int(i) for i in order if not scored.is_anomalous[i]]
    return anomalous[: _PICTURE_ROWS - 2] + normal[:2]


def _captioned(
    image: UInt8[np.ndarray, "h w 3"], scored: Scored, index: int
) -> UInt8[np.ndarray, "h w 3"]:
    text = f"{scored.names[index].split('/', 2)[2]}  {scored.image_scores[index]:.3f}"
    image[:_CAPTION_PX] //= 3
    cv2.putText(image, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
    return image


def _header() -> UInt8[np.ndarray, "h w 3"]:
    strip = np.zeros((_CAPTION_PX, 3 * _CELL_PX, 3), dtype=np.uint8)
    for column, title in enumerate(("input, image score", "ground truth", "anomaly map")):
        place = (column * _CELL_PX + 4, 14)
        cv2.putText(strip, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
    return strip
