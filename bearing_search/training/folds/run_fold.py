"""Runs one fold through all stages, and stores its record once it is scored."""

import json
import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path

from bearing_search.config import TrialConfig, digest_of
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.measurement import TrialContext
from bearing_search.models.finetuning.multitask import MultiTaskModel
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.compute_time import others_seconds, own_seconds, reused_stages
from bearing_search.stage_cache.entry import ClaimLostError
from bearing_search.training.backbone import Backbone, load_backbone
from bearing_search.training.checkpoint import Row
from bearing_search.training.folds.fold_data import FoldData, HeldOut, prepare_fold
from bearing_search.training.folds.fold_plan import FoldPlan, PartPlan
from bearing_search.training.folds.fold_record import FoldRecord, read_record
from bearing_search.training.folds.fold_stages import fold_stages
from bearing_search.training.folds.head_evaluation import head_pictures, held_out_patch_metrics
from bearing_search.training.folds.scoring import score_part
from bearing_search.training.folds.stage_keys import FoldOutcome, Samples
from bearing_search.training.folds.stress import prepare_stress, score_stress
from bearing_search.training.images import Images, by_brightness, concat
from bearing_search.training.microbatch import smallest
from bearing_search.training.plots.curves import curves_picture
from bearing_search.training.precision import precision_name
from bearing_search.training.stage_runner import StageContext

FoldStream = Generator[tuple[str, Row], None, FoldRecord | None]
"""Yields rows; returns the record, or None if stopped."""


def run_fold(
    plan: FoldPlan, config: TrialConfig, context: TrialContext, store: StageCache
) -> FoldStream:
    """Train and score one fold, or replay its rows if it is already done."""
    file = context.folder / plan.key / "unit.json"
    if (done := read_record(file)) is not None:
        yield from done.rows
        return done
    file.parent.mkdir(parents=True, exist_ok=True)
    record = yield from _insistent(lambda: _work(plan, config, context, store))
    if record is not None:
        write_atomically(file, json.dumps(asdict(record)).encode())
    return record


def trial_name(context: TrialContext) -> str:
    """Name of the trial in the cache: its path below the results folder, `first/trials/00003`."""
    results = context.cache.parent
    is_below = context.folder.is_relative_to(results)
    return (context.folder.relative_to(results) if is_below else context.folder).as_posix()


def _insistent(attempt: Callable[[], FoldStream]) -> FoldStream:
    """Retry whenever another process took over our work; no row is yielded twice."""
    given = 0
    while True:
        with closing(attempt()) as stream:
            try:
                for number in count():
                    row = next(stream)
                    if number == given:
                        given += 1
                        yield row
            except StopIteration as end:
                record: FoldRecord | None = end.value
                return record
            except ClaimLostError as lost:
                logging.getLogger(__name__).warning("%s was taken over by another process", lost)


def _work(
    plan: FoldPlan, config: TrialConfig, context: TrialContext, store: StageCache
) -> FoldStream:
    folds = [_prepare(part, plan, config, context) for part in plan.parts]
    encoder = load_backbone(config)
    user = trial_name(context)
    stage_context = StageContext(
        store=store,
        user=user,
        title=plan.label,
        should_stop=context.should_stop,
        device=context.device,
    )
    stress = {part.key: prepare_stress(part, config, cache=context.cache) for part in plan.parts}
    stressed = {key: variants for key, variants in stress.items() if variants is not None}
    samples = _samples(folds, stressed.values(), config, has_pictures=plan.fold == 0)
    outcome = yield from fold_stages(
        samples, encoder, config, stage_context, partial(_answer, plan, folds, config, context)
    )
    if outcome is None:
        return None
    detections = outcome.detections[: len(folds)]
    found = zip(plan.parts, folds, detections, outcome.answers, strict=True)
    scores = {
        part.key: {**score_part(part, plan, fold, detection, config, context), **answers}
        for part, fold, detection, answers in found
    }
    for (key, variants), detection in zip(
        stressed.items(), outcome.detections[len(folds) :], strict=True
    ):
        score_stress(variants, detection, config, folder=context.folder / key)
    _draw(plan, outcome, context)
    return FoldRecord(
        rows=outcome.rows,
        metrics=scores,
        tags=_tags(plan, folds, encoder, context) | _micro_batch_tag(plan, outcome.rows),
        reused=reused_stages(outcome.seconds, user),
        computed_s=own_seconds(outcome.seconds, user),
        saved_s=others_seconds(outcome.seconds, user),
    )


def _prepare(
    part: PartPlan, plan: FoldPlan, config: TrialConfig, context: TrialContext
) -> FoldData:
    return prepare_fold(part, config, is_validation=plan.is_validation, cache=context.cache)


def _samples(
    folds: Sequence[FoldData],
    stress: Iterable[HeldOut],
    config: TrialConfig,
    *,
    has_pictures: bool,
) -> Samples:
    def seen(images: Images) -> Images:
        return images if config.fusion == "channels" else by_brightness(images)

    is_rotated = any(fold.part in config.augment.rotated_parts for fold in folds)
    return Samples(
        normals=seen(concat([fold.normals for fold in folds])),
        anomalous=seen(concat([fold.anomalous for fold in folds])),
        held_out=tuple(seen(fold.held_out.images) for fold in folds),
        stress=tuple(seen(variants.images) for variants in stress),
        rotation_deg=config.augment.rotation_deg if is_rotated else 0.0,
        shown=digest_of([has_pictures, [_names(fold) for fold in folds]]),
    )


def _names(fold: FoldData) -> list[list[object]]:
    """Names and labels of a fold that affect patch metrics and pictures, besides the images."""
    train, held_out = (*fold.normal_samples, *fold.anomalous_samples), fold.held_out
    labels = zip(
        held_out.samples, held_out.is_anomalous.tolist(), held_out.has_mask.tolist(), strict=True
    )
    return [
        [fold.part, *(sample.title for sample in train)],
        *(
            [sample.title, is_anomalous, *([] if has_mask else ["unmasked"])]
            for sample, is_anomalous, has_mask in labels
        ),
    ]


def _answer(
    plan: FoldPlan,
    folds: Sequence[FoldData],
    config: TrialConfig,
    context: TrialContext,
    model: MultiTaskModel,
    folder: Path,
) -> tuple[Row, ...]:
    """Patch metrics after fine-tuning; also writes pictures for the first fold."""
    for fold in folds if plan.fold == 0 else ():
        head_pictures(model, fold, config, context.device, folder=folder)
    return tuple(held_out_patch_metrics(model, fold, config, context.device) for fold in folds)


def _draw(plan: FoldPlan, outcome: FoldOutcome, context: TrialContext) -> None:
    """Write the pictures of the heads, and the training curves of the first fold."""
    folder = context.folder / "artifacts"
    for name, content in outcome.pictures.items():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, content)
    if plan.fold == 0:
        file = folder / f"curves_{plan.key.partition('/')[0]}.png"
        curves_picture([row for _, row in outcome.rows], file)


def _micro_batch_tag(plan: FoldPlan, rows: Sequence[tuple[str, Row]]) -> dict[str, str]:
    """`micro_batch/LC/fold0: fine-tuning 4`, if a batch did not fit into device memory."""
    sizes = smallest(rows)
    text = ", ".join(f"{what} {size}" for what, size in sizes.items())
    return {f"micro_batch/{plan.key}": text} if sizes else {}


def _tags(
    plan: FoldPlan, folds: Sequence[FoldData], encoder: Backbone, context: TrialContext
) -> dict[str, str]:
    tags = {
        "weights_sha256": encoder.weights_sha256,
        "precision": precision_name(context.device),
        "device": context.device,
    }
    for part, fold in zip(plan.parts, folds, strict=True):
        tags[f"inputs/{part.key}"] = fold.digest
        tags[f"defects/{part.part}"] = "synthetic" if fold.has_synthetic_defects else "real"
        if fold.unmasked:
            tags[f"unmasked/{part.key}"] = fold.unmasked
        if fold.drawing:
            tags[f"drawn/{part.key}"] = fold.drawing
            tags[f"drawn_sizes/{part.part}"] = fold.drawn_sizes
    return tags
