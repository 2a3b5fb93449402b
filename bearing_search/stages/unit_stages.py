"""The stages of one unit, computed here or read from the store: encoder, detector, distances."""

import copy
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, runtime_checkable

from bearing_search.config import TrialConfig
from bearing_search.model.encoder import Encoder
from bearing_search.model.multitask import MultiTaskModel
from bearing_search.stages.backbone import Backbone
from bearing_search.stages.checkpoint import Checkpoint, Row
from bearing_search.stages.detector import make_detector, train_detector
from bearing_search.stages.finetune import finetune
from bearing_search.stages.plans import Step, finetune_plan
from bearing_search.stages.sharing import (
    Outcome,
    Samples,
    load_outcome,
    save_outcome,
    unit_keys,
)
from bearing_search.stages.store import StageStore
from bearing_search.stages.store_entry import Entry
from bearing_search.stages.store_key import StageKey
from bearing_search.stages.tuning import Finetuning

Answer = Callable[[MultiTaskModel, Path], tuple[Row, ...]]
"""What the fine-tuned heads say of each part's held-out samples; draws pictures into a folder."""


@runtime_checkable
class Begin(Protocol):
    """Starts a stage, or goes on from its checkpoint."""

    def __call__(self, *, checkpoint: Checkpoint, should_stop: Callable[[], bool]) -> Iterator[Row]:
        """Rows as they are made."""
        ...


StagesStream = Generator[tuple[str, Row], None, Outcome | None]
"""Rows as they are made; the outcome at the end, or None if it was asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a unit's stages are computed, and on whose account."""

    store: StageStore
    user: str
    """The trial: `sweep/trials/00003`."""

    title: str
    """The unit, for people."""

    should_stop: Callable[[], bool]
    device: str

    def claim(self, key: StageKey) -> AbstractContextManager[Entry | None]:
        """See `StageStore.claim`."""
        return self.store.claim(key, user=self.user, title=self.title, should_stop=self.should_stop)


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
    found = bench.store.find(keys.distances, user=bench.user, title=bench.title)
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
        spent = yield from _trained(
            bench,
            keys.encoder,
            partial(finetune, tuning, plan),
            file="finetune",
            what="fine-tuning",
            rows=rows,
        )
        if spent is None:
            return None
        seconds["encoder"] = spent
        model = tuning.model
        del tuning  # the frozen encoder and the optimiser's moments
    detector = make_detector(
        encoder,
        config,
        normals=samples.normals,
        rotation_deg=samples.rotation_deg,
        device=bench.device,
    )
    spent = yield from _trained(
        bench,
        keys.detector,
        partial(train_detector, detector),
        file="detector",
        what="detector",
        rows=rows,
    )
    if spent is None:
        return None
    seconds["detector"] = spent
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


def _trained(
    bench: Bench,
    key: StageKey,
    begin: Begin,
    *,
    file: str,
    what: str,
    rows: list[tuple[str, Row]],
) -> Generator[tuple[str, Row], None, Mapping[str, float] | None]:
    """A stage that learns; returns who has spent how many seconds on it, None if stopped."""
    with bench.claim(key) as entry:
        if entry is None:
            return None
        checkpoint = Checkpoint(entry.folder, file, write=bench.store.with_room)
        for row in begin(
            checkpoint=checkpoint, should_stop=lambda: bench.should_stop() or entry.is_lost
        ):
            rows.append((what, row))
            yield rows[-1]
        if not checkpoint.is_finished:
            return None
        if not entry.is_done:
            bench.store.finish(entry)
        return entry.seconds


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
