"""Runs one unit through all stages, and remembers it once it is scored."""

import copy
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bearing_search.config import TrialConfig, parse
from bearing_search.data.samples import Sample
from bearing_search.measurement import TrialContext
from bearing_search.model.encoder import Encoder
from bearing_search.stages.backbone import load_backbone
from bearing_search.stages.checkpoint import Checkpoint, Row
from bearing_search.stages.detector import Detector, make_detector, train_detector
from bearing_search.stages.evaluate import evaluate, heat_map_picture
from bearing_search.stages.files import write_atomically
from bearing_search.stages.finetune import Finetuning, finetune
from bearing_search.stages.loading import by_brightness
from bearing_search.stages.plans import finetune_plan
from bearing_search.stages.precision import precision_name
from bearing_search.stages.unit import Unit, prepare_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPlan:
    """A unit before anything of it is read."""

    part: str
    label: str
    """For people: `LC, fold 1 of 2`."""

    key: str
    """Its folder below the trial's, and the prefix of its measurements: `LC/fold0`."""

    fold: int
    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    is_validation: bool
    """Held out from train, rather than the test split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecord:
    """What a scored unit leaves, as stored in `unit.json`."""

    rows: tuple[tuple[str, Row], ...]
    """What was being done, and what was measured then."""

    metrics: Row
    tags: dict[str, str]


UnitStream = Generator[tuple[str, Row], None, UnitRecord | None]
"""Rows as they are made; the record at the end, or None if it was asked to stop."""


def scored_file(trial_folder: Path, plan: UnitPlan) -> Path:
    """Where the maps and scores of a unit are kept."""
    return trial_folder / plan.key / "scored.npz"


def run_unit(plan: UnitPlan, config: TrialConfig, context: TrialContext) -> UnitStream:
    """Train and score one unit, or repeat what it measured if it is done already."""
    folder = context.folder / plan.key
    file = folder / "unit.json"
    if file.exists():
        done = parse(UnitRecord, json.loads(file.read_text(encoding="utf-8")))
        yield from done.rows
        return done
    record = yield from _work(plan, config, context)
    if record is not None:
        write_atomically(file, json.dumps(asdict(record)).encode())
        if plan.is_validation:  # weights of a fold serve nobody; those of `evaluate` are kept
            for checkpoint in folder.glob("*.pt"):
                checkpoint.unlink()
    return record


def _work(plan: UnitPlan, config: TrialConfig, context: TrialContext) -> UnitStream:
    folder = context.folder / plan.key
    unit = prepare_unit(
        plan.part,
        plan.train,
        plan.held_out,
        config,
        is_validation=plan.is_validation,
        cache=context.cache,
    )
    is_rotated = plan.part in config.augment.rotated_parts
    rotation_deg = config.augment.rotation_deg if is_rotated else 0.0
    encoder = load_backbone(config)
    normals, anomalous = unit.normals, unit.anomalous
    if config.fusion != "channels":
        normals, anomalous = by_brightness(normals), by_brightness(anomalous)
    rows: list[tuple[str, Row]] = []

    if config.finetune.epochs:
        assert isinstance(encoder, Encoder)  # `load_backbone` refused others
        tuning = Finetuning(
            encoder,
            copy.deepcopy(encoder),
            config.finetune,
            normals=normals,
            anomalous=anomalous,
            rotation_deg=rotation_deg,
            seed=config.seed,
            device=context.device,
        )
        iterations = finetune_plan(
            config.finetune,
            num_normal=len(normals),
            num_anomalous=len(anomalous),
            seed=config.seed,
        )
        checkpoint = Checkpoint(folder, "finetune")
        for row in finetune(
            tuning, iterations, checkpoint=checkpoint, should_stop=context.should_stop
        ):
            rows.append(("fine-tuning", row))
            yield rows[-1]
        if not checkpoint.is_finished:
            return None

    detector = make_detector(
        encoder, config, normals=normals, rotation_deg=rotation_deg, device=context.device
    )
    checkpoint = Checkpoint(folder, "detector")
    for row in train_detector(detector, checkpoint=checkpoint, should_stop=context.should_stop):
        rows.append(("detector", row))
        yield rows[-1]
    if not checkpoint.is_finished:
        return None
    return _score(plan, unit, detector, encoder.weights_sha256, rows, config, context)


def _score(
    plan: UnitPlan,
    unit: Unit,
    detector: Detector,
    weights_sha256: str,
    rows: Sequence[tuple[str, Row]],
    config: TrialConfig,
    context: TrialContext,
) -> UnitRecord:
    scored = evaluate(
        unit.held_out, detector.detect, config, file=scored_file(context.folder, plan)
    )
    if plan.fold == 0:
        picture = context.folder / "artifacts" / f"heat_maps_{plan.part}.png"
        heat_map_picture(scored, unit.held_out.images.pixels, file=picture)
    num_held_out = len(scored.names) + scored.num_no_roi
    return UnitRecord(
        rows=tuple(rows),
        metrics={
            **scored.metrics(config.protocol),
            "roi_found_share": len(scored.names) / num_held_out,
            "roi_size_spread": unit.roi.size_spread,
            "roi_instability_px": unit.roi.instability_px,
            "missed_regions": float(scored.missed_regions),
        },
        tags={
            "weights_sha256": weights_sha256,
            "precision": precision_name(context.device),
            "device": context.device,
            f"inputs/{plan.key}": unit.digest,
            f"defects/{plan.part}": "synthetic" if unit.has_synthetic_defects else "real",
        },
    )
