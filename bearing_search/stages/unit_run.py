"""Runs one unit through all stages, and remembers it once it is scored."""

import copy
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass

from bearing_search.config import TrialConfig, parse
from bearing_search.measurement import TrialContext
from bearing_search.model.encoder import Encoder
from bearing_search.model.multitask import MultiTaskModel
from bearing_search.stages.answers import draw_answers, held_out_patch_metrics
from bearing_search.stages.backbone import Backbone, load_backbone
from bearing_search.stages.checkpoint import Checkpoint, Row
from bearing_search.stages.curves import curves_picture
from bearing_search.stages.detector import Detector, make_detector, train_detector
from bearing_search.stages.evaluate import evaluate, heat_map_picture
from bearing_search.stages.files import write_atomically
from bearing_search.stages.finetune import Finetuning, finetune
from bearing_search.stages.loading import Images, by_brightness, joined
from bearing_search.stages.plans import Step, finetune_plan
from bearing_search.stages.precision import precision_name
from bearing_search.stages.unit import Unit, prepare_unit
from bearing_search.stages.unit_plan import PartPlan, UnitPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecord:
    """What a scored unit leaves, as stored in `unit.json`."""

    rows: tuple[tuple[str, Row], ...]
    """What was being done, and what was measured then."""

    metrics: dict[str, Row]
    """Of each part, by its key."""

    tags: dict[str, str]


UnitStream = Generator[tuple[str, Row], None, UnitRecord | None]
"""Rows as they are made; the record at the end, or None if it was asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrainingSide:
    """What the encoder and the detector of a unit learn from: all its parts together."""

    normals: Images
    anomalous: Images
    rotation_deg: float


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
    units = [_prepare(part, plan, config, context) for part in plan.parts]
    side = _training_side(units, config)
    encoder = load_backbone(config)
    rows: list[tuple[str, Row]] = []
    model = None

    if config.finetune.epochs:
        assert isinstance(encoder, Encoder)  # `load_backbone` refused others
        tuning = _finetuning(encoder, side, config, context)
        checkpoint = Checkpoint(folder, "finetune")
        for row in finetune(
            tuning,
            _finetune_plan(side, config),
            checkpoint=checkpoint,
            should_stop=context.should_stop,
        ):
            rows.append(("fine-tuning", row))
            yield rows[-1]
        if not checkpoint.is_finished:
            return None
        model = tuning.model
        del tuning  # the frozen encoder and the optimiser's moments

    detector = make_detector(
        encoder,
        config,
        normals=side.normals,
        rotation_deg=side.rotation_deg,
        device=context.device,
    )
    checkpoint = Checkpoint(folder, "detector")
    for row in train_detector(detector, checkpoint=checkpoint, should_stop=context.should_stop):
        rows.append(("detector", row))
        yield rows[-1]
    if not checkpoint.is_finished:
        return None
    scores = {
        part.key: {
            **_score(part, plan, unit, detector, config, context),
            **_patch_metrics(model, plan, unit, config, context),
        }
        for part, unit in zip(plan.parts, units, strict=True)
    }
    if plan.fold == 0:
        name = plan.key.partition("/")[0]
        file = context.folder / "artifacts" / f"curves_{name}.png"
        curves_picture([row for _, row in rows], file)
    tags = _tags(plan, units, encoder, context)
    return UnitRecord(rows=tuple(rows), metrics=scores, tags=tags)


def _prepare(part: PartPlan, plan: UnitPlan, config: TrialConfig, context: TrialContext) -> Unit:
    return prepare_unit(
        part.part,
        part.train,
        part.held_out,
        config,
        is_validation=plan.is_validation,
        cache=context.cache,
    )


def _training_side(units: Sequence[Unit], config: TrialConfig) -> _TrainingSide:
    normals = joined([unit.normals for unit in units])
    anomalous = joined([unit.anomalous for unit in units])
    if config.fusion != "channels":
        normals, anomalous = by_brightness(normals), by_brightness(anomalous)
    is_rotated = any(unit.part in config.augment.rotated_parts for unit in units)
    rotation_deg = config.augment.rotation_deg if is_rotated else 0.0
    return _TrainingSide(normals=normals, anomalous=anomalous, rotation_deg=rotation_deg)


def _finetuning(
    encoder: Encoder, side: _TrainingSide, config: TrialConfig, context: TrialContext
) -> Finetuning:
    return Finetuning(
        encoder,
        copy.deepcopy(encoder),
        config.finetune,
        normals=side.normals,
        anomalous=side.anomalous,
        rotation_deg=side.rotation_deg,
        seed=config.seed,
        device=context.device,
    )


def _finetune_plan(side: _TrainingSide, config: TrialConfig) -> list[Step]:
    return finetune_plan(
        config.finetune,
        num_normal=len(side.normals),
        num_anomalous=len(side.anomalous),
        seed=config.seed,
    )


def _score(
    part: PartPlan,
    plan: UnitPlan,
    unit: Unit,
    detector: Detector,
    config: TrialConfig,
    context: TrialContext,
) -> Row:
    folder = context.folder / part.key
    folder.mkdir(parents=True, exist_ok=True)
    scored = evaluate(unit.held_out, detector.detect, config, file=folder / "scored.npz")
    if plan.fold == 0:
        picture = context.folder / "artifacts" / f"heat_maps_{part.part}.png"
        heat_map_picture(scored, unit.held_out.images.pixels, file=picture)
    num_held_out = len(scored.names) + scored.num_no_roi
    return {
        **scored.metrics(config.protocol),
        "roi_found_share": len(scored.names) / num_held_out,
        "roi_size_spread": unit.roi.size_spread,
        "roi_instability_px": unit.roi.instability_px,
        "missed_regions": float(scored.missed_regions),
    }


def _patch_metrics(
    model: MultiTaskModel | None,
    plan: UnitPlan,
    unit: Unit,
    config: TrialConfig,
    context: TrialContext,
) -> Row:
    """How patches are told apart after fine-tuning, if there was any; drawn for the first fold."""
    if model is None:
        return {}
    if plan.fold == 0:
        draw_answers(model, unit, config, context.device, folder=context.folder / "artifacts")
    return held_out_patch_metrics(model, unit, config, context.device)


def _tags(
    plan: UnitPlan, units: Sequence[Unit], encoder: Backbone, context: TrialContext
) -> dict[str, str]:
    tags = {
        "weights_sha256": encoder.weights_sha256,
        "precision": precision_name(context.device),
        "device": context.device,
    }
    for part, unit in zip(plan.parts, units, strict=True):
        tags[f"inputs/{part.key}"] = unit.digest
        tags[f"defects/{part.part}"] = "synthetic" if unit.has_synthetic_defects else "real"
    return tags
