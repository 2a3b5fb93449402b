"""The stages of one fold, computed here or read from the cache: encoder, detector, distances.

Features of a frozen encoder are a further stage, used by any of the others.
"""

import copy
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bearing_search.config import TrialConfig
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.finetuning.multitask import MultiTaskModel
from bearing_search.models.finetuning.schedule import Task
from bearing_search.stage_cache.compute_time import Seconds, merged
from bearing_search.stage_cache.key import StageKey
from bearing_search.training.backbone import Backbone
from bearing_search.training.checkpoint import Row
from bearing_search.training.content_digest import encoder_digest
from bearing_search.training.detection.detector import Detector, make_detector, train_detector
from bearing_search.training.features import NOT_CACHED, CachedFeatures, Features, cached_features
from bearing_search.training.finetuning.cached import cached_finetuning
from bearing_search.training.finetuning.finetuner import Finetuner, FinetuneSamples
from bearing_search.training.finetuning.frozen_features import frozen_reader
from bearing_search.training.folds.stage_keys import (
    FoldOutcome,
    Samples,
    fold_keys,
    load_outcome,
    plan_of,
    save_outcome,
)
from bearing_search.training.plan import detector_iterations, learned_tasks
from bearing_search.training.stage_runner import (
    LearningStage,
    StageContext,
    StageFn,
    StageResult,
    run_stage,
)

EvaluateHeads = Callable[[MultiTaskModel, Path], tuple[Row, ...]]
"""Metrics of the fine-tuned heads on each part's held-out samples; writes pictures to a folder."""

Rows = list[tuple[str, Row]]
StagesStream = Generator[tuple[str, Row], None, FoldOutcome | None]
"""Yields rows; returns the outcome, or None if stopped."""


def fold_stages(
    samples: Samples,
    encoder: Backbone,
    config: TrialConfig,
    stage_context: StageContext,
    answer: EvaluateHeads,
) -> StagesStream:
    """Train on a fold and measure the distances of its held-out samples.

    If the distances are in the cache, the earlier stages are not needed: their measurements are
    stored with the distances.

    Args:
        encoder: the pretrained encoder; fine-tuned in place.
        answer: computes the patch metrics of the fine-tuned heads on each part's held-out samples,
            and writes pictures to a folder; `samples.shown` identifies its inputs besides images.

    Raises:
        TrialFailedError: a loss is not finite.
        ClaimLostError: this process hung and another one took over its work.
    """
    keys = fold_keys(
        config, samples, weights_sha256=encoder.weights_sha256, device=stage_context.device
    )
    found = stage_context.find(keys.distances)
    if found is not None:
        outcome = load_outcome(found)
        yield from outcome.rows
        return outcome

    rows: Rows = []
    model: MultiTaskModel | None = None
    seconds: Seconds = {}
    if config.finetune.epochs:
        assert isinstance(encoder, Encoder)  # `load_backbone` refused others
        tuned = yield from _fine_tuned(encoder, samples, config, stage_context, keys.encoder, rows)
        if tuned is None:
            return None
        model, seconds = tuned
    content = encoder_digest(encoder)
    detector = make_detector(
        encoder,
        config,
        normals=samples.normals,
        rotation_deg=samples.rotation_deg,
        device=stage_context.device,
    )
    frozen = content if model is None else None
    begin = partial(train_detector, detector, detector_iterations(config))
    learned = yield from _learned(
        detector, begin, frozen, stage_context, keys.detector(content), rows
    )
    if learned is None:
        return None
    read = _read_held_out(detector, frozen, samples, stage_context)
    if read is None:
        return None
    with stage_context.claim(keys.distances) as entry:
        if entry is None or entry.is_done:
            return None if entry is None else load_outcome(entry)
        answers, pictures = _answers(model, answer, parts=len(samples.held_out))
        detections = tuple(
            detector.detect(images.pixels, kept.features)
            for images, kept in zip(samples.scored, read, strict=True)
        )
        outcome = FoldOutcome(
            detections=detections,
            answers=answers,
            pictures=pictures,
            rows=tuple(rows),
            seconds=merged(seconds, learned.seconds, *(kept.seconds for kept in read)),
        )
        stage_context.store.with_room(lambda: save_outcome(outcome, entry))
        stage_context.store.finish(entry)
        return load_outcome(entry)


def _fine_tuned(
    encoder: Encoder,
    samples: Samples,
    config: TrialConfig,
    stage_context: StageContext,
    key: StageKey,
    rows: Rows,
) -> Generator[tuple[str, Row], None, tuple[MultiTaskModel, Seconds] | None]:
    """The encoder, fine-tuned in place, with its heads, and the compute time."""
    kept: CachedFeatures | None = NOT_CACHED
    if _is_held_near(samples, config) and stage_context.find(key) is None:
        feature_reader = frozen_reader(
            encoder, config.finetune.ssim_layers, device=stage_context.device
        )
        content = encoder_digest(encoder)
        kept = cached_features(stage_context, feature_reader, content, samples.normals.pixels)
    if kept is None:
        return None
    finetuner = make_finetuner(encoder, samples, config, stage_context.device, kept.features)
    tuned = yield from cached_finetuning(
        stage_context,
        key,
        finetuner,
        plan_of(samples, config),
        rows=rows,
        read_s=kept.seconds,
    )
    # not `finetuner`, which holds the frozen encoder and the optimiser's moments
    return None if tuned is None else (finetuner.model, tuned.seconds)


def _is_held_near(samples: Samples, config: TrialConfig) -> bool:
    """Whether fine-tuning needs frozen features of unaugmented normal samples."""
    is_still = not samples.rotation_deg and not config.finetune.alters_images
    return is_still and Task.RECONSTRUCTION in learned_tasks(config.finetune)


def _learned(
    detector: Detector,
    begin: StageFn,
    frozen: str | None,
    stage_context: StageContext,
    key: StageKey,
    rows: Rows,
) -> Generator[tuple[str, Row], None, StageResult | None]:
    """Train the detector.

    Args:
        frozen: digest of its encoder's weights, if that was not fine-tuned.
    """
    kept: CachedFeatures | None = NOT_CACHED
    normals = detector.features
    if frozen and normals.is_static and stage_context.find(key) is None:
        kept = cached_features(
            stage_context, normals.feature_reader, frozen, normals.samples.pixels
        )
    if kept is None:
        return None
    if kept.features is not None:
        normals.known = kept.features
    return (
        yield from run_stage(
            stage_context,
            LearningStage(key=key, file="detector", title="detector"),
            begin,
            rows=rows,
            read_s=kept.seconds,
        )
    )


def _read_held_out(
    detector: Detector, frozen: str | None, samples: Samples, stage_context: StageContext
) -> list[CachedFeatures] | None:
    """Features of all samples that are scored; None if stopped."""
    found: list[CachedFeatures] = []
    for images in samples.scored:
        kept: CachedFeatures | None = NOT_CACHED
        if frozen:
            kept = cached_features(
                stage_context, detector.features.feature_reader, frozen, images.pixels
            )
        if kept is None:
            return None
        found.append(kept)
    return found


def _answers(
    model: MultiTaskModel | None, answer: EvaluateHeads, *, parts: int
) -> tuple[tuple[Row, ...], dict[str, bytes]]:
    """Metrics and pictures of the heads; empty if no heads were trained."""
    if model is None:
        return tuple({} for _ in range(parts)), {}
    # not in the entry's folder: creating files there could resurrect one that was taken over
    with TemporaryDirectory() as name:
        rows = answer(model, Path(name))
        return rows, {file.name: file.read_bytes() for file in sorted(Path(name).iterdir())}


def make_finetuner(
    encoder: Encoder,
    samples: Samples,
    config: TrialConfig,
    device: str,
    frozen: Features | None = None,
) -> Finetuner:
    """A `Finetuner` that tunes `encoder` in place (`frozen`: see `FinetuneSamples`)."""
    return Finetuner(
        encoder,
        copy.deepcopy(encoder),
        config.finetune,
        FinetuneSamples(
            normals=samples.normals,
            anomalous=samples.anomalous,
            rotation_deg=samples.rotation_deg,
            frozen=frozen,
        ),
        seed=config.seed,
        device=device,
    )
