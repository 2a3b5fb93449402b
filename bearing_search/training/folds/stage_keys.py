"""Cache keys of a fold's stages, and the content of the last one.

Axis letters: n samples, k layers, h w rows and columns of the detector's grid.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bearing_search.config import DETECTORS, TrialConfig, stable_settings, to_plain
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.stage_cache.compute_time import Seconds, merged
from bearing_search.stage_cache.entry import Entry
from bearing_search.stage_cache.key import ENCODER_SECTIONS, STAGES_VERSION, StageKey, stage_key
from bearing_search.training.checkpoint import Row
from bearing_search.training.content_digest import compute_name, images_digest
from bearing_search.training.detection.detection import Detection
from bearing_search.training.images import Images
from bearing_search.training.plan import SEEN_IN_THE_PLAN, Step, digests_by_epoch, finetune_plan

NOT_READ_BY_DETECTORS = {
    *ENCODER_SECTIONS,  # in the encoder's key, except for the rotation and the seed (added below)
    *("postprocess", "protocol"),  # applied after it
}
"""Config sections that do not affect a detector, given its encoder, its images and its seed."""

_BEFORE = "before.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldKeys:
    """Cache keys of a fold's stages."""

    encoder: StageKey
    """Key of the fine-tuned encoder, derived from its iterations, or of the frozen one, which is
    never stored."""

    distances: StageKey
    """Derived from all inputs and settings, so that it can be found before computing anything."""

    detector: Callable[[str], StageKey]
    """Key for a digest of the encoder's weights, however these were trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Training samples of a fold, all parts together, and held-out samples, part by part."""

    normals: Images
    anomalous: Images
    held_out: tuple[Images, ...]
    rotation_deg: float
    stress: tuple[Images, ...] = ()
    """Variants of some held-out samples, part by part; only at the end, for the chosen setting."""

    shown: str
    """Digest of names and labels of the samples in the heads' pictures, if there are any."""

    @property
    def scored(self) -> tuple[Images, ...]:
        """Held-out samples, then the stress sets."""
        return (*self.held_out, *self.stress)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldOutcome:
    """Result of a fold's stages: everything that scoring needs."""

    detections: tuple[Detection, ...]
    """Detections of each part's held-out samples, then of each stress set."""

    answers: tuple[Row, ...]
    """Patch metrics on each part's held-out samples, if a patch head was trained."""

    pictures: Mapping[str, bytes]
    """PNG files of the heads' outputs, by name."""

    rows: tuple[tuple[str, Row], ...]
    """Pairs of stage and measurements, in order."""

    seconds: Seconds


def plan_of(samples: Samples, config: TrialConfig) -> list[Step]:
    """The iterations of a fold's fine-tuning; empty for a frozen encoder."""
    return finetune_plan(
        config.finetune,
        num_normal=len(samples.normals),
        num_anomalous=len(samples.anomalous),
        seed=config.seed,
    )


def fold_keys(
    config: TrialConfig, samples: Samples, *, weights_sha256: str, device: str
) -> FoldKeys:
    """Cache keys of a fold's stages, derived from their settings and the content of their inputs.

    A detector's key includes every config section that is not known to be irrelevant to it: an
    unknown section reduces sharing but never shares too much. Settings added to the config are
    omitted at their reference value (`config.digest`), so that older entries are still found.
    """
    plain = stable_settings(to_plain(config))
    named = partial(stage_key, seed=config.seed, compute=compute_name(device))
    normals = images_digest(samples.normals)
    rotation = {"rotation_deg": samples.rotation_deg}
    model = {name: value for name, value in plain["encoder"].items() if name != "weights"}
    read = {"encoder": model, "version": STAGES_VERSION["encoder"]}
    settings: dict[str, Any] = dict(read)
    inputs = {"weights": weights_sha256}
    if config.finetune.epochs:
        augment = {k: v for k, v in plain["augment"].items() if k != "rotated_parts"}
        settings |= {
            "finetune": {k: v for k, v in plain["finetune"].items() if k not in SEEN_IN_THE_PLAN},
            "augment": augment | rotation,
        }
        inputs |= {
            "iterations": list(digests_by_epoch(plan_of(samples, config)).values())[-1],
            "normals": normals,
            "anomalous": images_digest(samples.anomalous),
        }
    encoder = named("encoder", settings=settings, inputs=inputs)

    others = set(DETECTORS) - {config.detector}
    own = {k: v for k, v in plain.items() if k not in NOT_READ_BY_DETECTORS | others}

    def detector(encoder: str) -> StageKey:
        return named(
            "detector",
            settings=own | rotation | read,
            inputs={"encoder": encoder, "normals": normals},
        )

    distances = named(
        "distances",
        settings={},
        inputs={
            "detector": detector(encoder.digest).digest,
            "shown": samples.shown,
            **{f"held_out_{n}": images_digest(images) for n, images in enumerate(samples.held_out)},
            **{f"stress_{n}": images_digest(images) for n, images in enumerate(samples.stress)},
        },
    )
    return FoldKeys(encoder=encoder, detector=detector, distances=distances)


def save_outcome(outcome: FoldOutcome, entry: Entry) -> None:
    """Write detections, and rows and times of the earlier stages, to the distances' entry."""
    for number, found in enumerate(outcome.detections):
        buffer = io.BytesIO()
        arrays = {"distances": found.distances}
        if found.own_scores is not None:
            arrays["own_scores"] = found.own_scores
        np.savez(buffer, allow_pickle=False, **arrays)
        write_atomically(entry.folder / _detection_file(number), buffer.getvalue())
    for name, content in outcome.pictures.items():
        write_atomically(entry.folder / name, content)
    before = {
        "answers": outcome.answers,
        "pictures": list(outcome.pictures),
        "rows": outcome.rows,
        "seconds": outcome.seconds,
    }
    write_atomically(entry.folder / _BEFORE, json.dumps(before).encode())


def load_outcome(entry: Entry) -> FoldOutcome:
    """Read what `save_outcome` wrote, adding the compute time of the distances themselves."""
    before = json.loads((entry.folder / _BEFORE).read_text(encoding="utf-8"))
    detections = []
    for number in range(len(list(entry.folder.glob(_detection_file("*"))))):
        with np.load(entry.folder / _detection_file(number), allow_pickle=False) as saved:
            own_scores = saved["own_scores"] if "own_scores" in saved.files else None
            detections.append(Detection(distances=saved["distances"], own_scores=own_scores))
    return FoldOutcome(
        detections=tuple(detections),
        answers=tuple(before["answers"]),
        pictures={name: (entry.folder / name).read_bytes() for name in before["pictures"]},
        rows=tuple((what, row) for what, row in before["rows"]),
        seconds=merged(before["seconds"], {"distances": entry.seconds}),
    )


def _detection_file(number: int | str) -> str:
    return f"detection_{number}.npz"
