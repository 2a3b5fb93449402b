"""The stages of one unit, computed here or read from the store: encoder, detector, distances."""

import copy
from collections.abc import Callable, Generator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bearing_search.config import TrialConfig
from bearing_search.model.encoder import Encoder
from bearing_search.model.multitask import MultiTaskModel
from bearing_search.stages.backbone import Backbone
from bearing_search.stages.bench import Bench, trained
from bearing_search.stages.checkpoint import Row
from bearing_search.stages.detector import make_detector, train_detector
from bearing_search.stages.fine_tuned import fine_tuned
from bearing_search.stages.plans import Step, finetune_plan
from bearing_search.stages.sharing import (
    Outcome,
    Samples,
    load_outcome,
    save_outcome,
    unit_keys,
)
from bearing_search.stages.tuning import Finetuning

Answer = Callable[[MultiTaskModel, Path], tuple[Row, ...]]
"""What the fine-tuned heads say of each part's held-out samples; draws pictures into a folder."""


StagesStream = Generator[tuple[str, Row], None, Outcome | None]
"""Rows as they are made; the outcome at the end, or None if it was asked to stop."""


def run_stages(
    samples: Samples, encoder: Backbone, config: TrialConfig, bench: Bench, answer: Answer
) -> StagesStream:
    """Train on a unit and measure the distances of its held-out samples.

    Where the distances are in the store, nothing before them is looked at: they bring along what
    the earlier stages measured.

    Args:
        encoder: the pretrained one; it is fine-tuned in place.
        answer: measures how the fine-tuned heads tell each part's held-out patches apart, and draws
            into a folder; `samples.shown` names all that it looks at beside the images.

    Raises:
        TrialFailedError: a loss is not finite.
        ClaimLostError: this process hung, and another one took its work over.
    """
    keys = unit_keys(config, samples, weights_sha256=encoder.weights_sha256, device=bench.device)
    found = bench.find(keys.distances)
    if found is not None:
        outcome = load_outcome(found)
        yield from outcome.rows
        return outcome

    rows: list[tuple[str, Row]] = []
    seconds: dict[str, Mapping[str, float]] = {}
    model = None
    if config.finetune.epochs:
        assert isinstance(encoder, Encoder)  # `load_backbone` refused others
        tuning = _finetuning(encoder, samples, config, bench.device)
        plan = _finetune_plan(samples, config)
        schedule = config.finetune.schedule
        tuned = yield from fine_tuned(
            bench, keys.encoder, tuning, plan, schedule=schedule, rows=rows
        )
        if tuned is None:
            return None
        seconds["encoder"] = tuned.seconds
        model = tuning.model
        del tuning  # the frozen encoder and the optimiser's moments
    detector = make_detector(
        encoder,
        config,
        normals=samples.normals,
        rotation_deg=samples.rotation_deg,
        device=bench.device,
    )
    learned = yield from trained(
        bench,
        keys.detector,
        partial(train_detector, detector),
        file="detector",
        what="detector",
        rows=rows,
    )
    if learned is None:
        return None
    seconds["detector"] = learned.seconds
    with bench.claim(keys.distances) as entry:
        if entry is None or entry.is_done:
            return None if entry is None else load_outcome(entry)
        pictures: dict[str, bytes] = {}
        answers: tuple[Row, ...] = tuple({} for _ in samples.held_out)
        if model is not None:
            answers, pictures = _answers(model, answer)
        outcome = Outcome(
            detections=tuple(detector.detect(images.pixels) for images in samples.held_out),
            answers=answers,
            pictures=pictures,
            rows=tuple(rows),
            seconds=seconds,
        )
        bench.store.with_room(lambda: save_outcome(outcome, entry))
        bench.store.finish(entry)
        return load_outcome(entry)


def _answers(model: MultiTaskModel, answer: Answer) -> tuple[tuple[Row, ...], dict[str, bytes]]:
    """What the heads answer, with the pictures of it."""
    # not in the entry's folder: making a folder there could bring back one that was taken over
    with TemporaryDirectory() as name:
        rows = answer(model, Path(name))
        return rows, {file.name: file.read_bytes() for file in sorted(Path(name).iterdir())}


def _finetuning(encoder: Encoder, samples: Samples, config: TrialConfig, device: str) -> Finetuning:
    return Finetuning(
        encoder,
        copy.deepcopy(encoder),
        config.finetune,
        normals=samples.normals,
        anomalous=samples.anomalous,
        rotation_deg=samples.rotation_deg,
        seed=config.seed,
        device=device,
    )


def _finetune_plan(samples: Samples, config: TrialConfig) -> list[Step]:
    return finetune_plan(
        config.finetune,
        num_normal=len(samples.normals),
        num_anomalous=len(samples.anomalous),
        seed=config.seed,
    )
