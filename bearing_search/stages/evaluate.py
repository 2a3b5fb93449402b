"""Anomaly maps of held-out samples -> scores, metrics and a picture.

Axis letters: n samples, m side of the map in pixels, s side of the input in pixels.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from bearing_search.config import ProtocolConfig
from bearing_search.metrics import score
from bearing_search.model.dinomaly import image_score
from bearing_search.stages.checkpoint import write_atomically
from bearing_search.stages.unit import HeldOut

_PICTURE_ROWS = 6
_CELL_PX = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a unit's evaluation leaves: enough to compute any metric again."""

    maps: Float[np.ndarray, "n m m"]
    masks: Bool[np.ndarray, "n m m"]
    image_scores: Float[np.ndarray, " n"]
    is_anomalous: Bool[np.ndarray, " n"]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    missed_regions: int
    num_no_roi: int

    def metrics(self, protocol: ProtocolConfig) -> dict[str, float]:
        """The seven metrics by name."""
        return score(
            self.maps,
            self.masks,
            self.image_scores,
            self.is_anomalous,
            fpr_limit=protocol.fpr_limit,
            missed_regions=self.missed_regions,
        )


def evaluate(
    held_out: HeldOut,
    make_maps: Callable[[UInt8[np.ndarray, "n s s 3"]], Float[np.ndarray, "n m m"]],
    protocol: ProtocolConfig,
    *,
    file: Path,
) -> Scored:
    """Score the held-out samples, or read what an earlier call left in `file`."""
    if file.exists():
        return load_scored(file)
    maps = make_maps(held_out.images.pixels)
    scored = Scored(
        maps=maps,
        masks=held_out.map_masks,
        image_scores=image_score(torch.from_numpy(maps), protocol.top_share).numpy(),
        is_anomalous=held_out.is_anomalous,
        groups=tuple(sample.group for sample in held_out.samples),
        names=tuple(sample.title for sample in held_out.samples),
        missed_regions=held_out.missed_regions,
        num_no_roi=len(held_out.no_roi),
    )
    save_scored(scored, file)
    return scored


def save_scored(scored: Scored, file: Path) -> None:
    """Write maps, masks (packed) and scores."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        maps=scored.maps,
        masks=np.packbits(scored.masks, axis=-1),
        image_scores=scored.image_scores,
        is_anomalous=scored.is_anomalous,
        groups=np.array(scored.groups),
        names=np.array(scored.names),
        counts=np.array([scored.missed_regions, scored.num_no_roi]),
    )
    write_atomically(file, buffer.getvalue())


def load_scored(file: Path) -> Scored:
    """Read what `save_scored` wrote."""
    with np.load(file, allow_pickle=False) as saved:
        maps = saved["maps"]
        masks = np.unpackbits(saved["masks"], axis=-1, count=maps.shape[-1]).astype(bool)
        missed_regions, num_no_roi = (int(count) for count in saved["counts"])
        return Scored(
            maps=maps,
            masks=masks,
            image_scores=saved["image_scores"],
            is_anomalous=saved["is_anomalous"],
            groups=tuple(saved["groups"].tolist()),
            names=tuple(saved["names"].tolist()),
            missed_regions=missed_regions,
            num_no_roi=num_no_roi,
        )


def heat_map_picture(scored: Scored, pixels: UInt8[np.ndarray, "n s s 3"], *, file: Path) -> None:
    """PNG with a row per sample: input, mask outlined, map. One colour scale for all rows.

    Anomalous samples come first, those with the highest scores among them on top; two normal
    samples with the highest scores close the picture.
    """
    shown = _shown(scored)
    low, high = np.quantile(scored.maps, 0.5), scored.maps.max()
    rows = []
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
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thickness)
    return image
