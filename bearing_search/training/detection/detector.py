"""Detectors: what learns the normal samples' tokens and finds those that are strange.

Axis letters: n samples, s side of the input in pixels.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from bearing_search.config import DETECTORS, TrialConfig
from bearing_search.training.backbone import Backbone
from bearing_search.training.checkpoint import Checkpoint, Row
from bearing_search.training.detection.detection import Detection
from bearing_search.training.features import Features, NormalFeatures
from bearing_search.training.images import Images
from bearing_search.training.microbatch import MICRO_BATCH_ROW
from bearing_search.training.nonfinite import stage_error_context
from bearing_search.training.plan import log_iterations


@runtime_checkable
class Detector(Protocol):
    """Learns in as many iterations as `DETECTORS` says, each a function of its number alone."""

    failure_hint: str
    """What to change where a number is not finite."""

    features: NormalFeatures
    """What it reads of the normal samples, and how it reads any."""

    def iterate(self, number: int) -> dict[str, float]:
        """Do iteration `number` (0-based); returns what was measured, by name.

        Of a row's iterations the mean is logged; of `micro_batch`, the samples that went through
        the network at once where that was less than the batch, the last value.

        Raises:
            TrialFailedError: something is not finite. The detector is as it was before.
        """
        ...

    def detect(
        self, pixels: UInt8[np.ndarray, "n s s 3"], read: Features | None = None
    ) -> Detection:
        """Distances of prepared images, once all iterations are done.

        Args:
            read: what `features.feature_reader` has read of them; None: that is done now.
        """
        ...

    def state(self, *, is_finished: bool = False) -> dict[str, Any]:
        """Tensors that a later `load` needs to go on with the next iteration.

        Args:
            is_finished: no iteration is left, so that it need only detect.

        Raises:
            TrialFailedError: a weight is not finite.
        """
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Take over an earlier `state`, of this detector or of an equal one."""
        ...


@runtime_checkable
class BuildDetector(Protocol):
    """What `DetectorSpec.build` names."""

    def __call__(
        self,
        encoder: Backbone,
        config: TrialConfig,
        *,
        normals: Images,
        rotation_deg: float,
        device: str,
    ) -> Detector:
        """An untrained detector.

        Args:
            encoder: no longer changes.
            config: of which only `seed`, the detector's own section and `decoder` may be read:
                these name the trained detector in the stage cache.
            normals: prepared images, which it learns.
            rotation_deg: how far they may be rotated to either side while it learns.
            device: where it works.
        """
        ...


def make_detector(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> Detector:
    """The detector that the config asks for, untrained, on an encoder that no longer changes."""
    module, _, name = DETECTORS[config.detector].build.partition(":")
    build: BuildDetector = getattr(import_module(module), name)
    return build(encoder, config, normals=normals, rotation_deg=rotation_deg, device=device)


def train_detector(
    detector: Detector,
    iterations: int,
    *,
    checkpoint: Checkpoint,
    should_stop: Callable[[], bool],
) -> Iterator[Row]:
    """Run what is left of the training, yielding mean measurements as it goes (earlier ones first).

    Afterwards the detector is trained if `checkpoint.is_finished`; otherwise the stage was asked
    to stop and has saved its state.

    Raises:
        TrialFailedError: a loss, the gradient or a weight is not finite; or a feature.
    """
    if checkpoint.state is not None:
        detector.load(checkpoint.state["detector"])
    yield from list(checkpoint.history)
    if checkpoint.is_finished:
        return
    with stage_error_context("detector", checkpoint, advice=detector.failure_hint):
        yield from _iterations(detector, iterations, checkpoint, should_stop)


def _iterations(
    detector: Detector, iterations: int, checkpoint: Checkpoint, should_stop: Callable[[], bool]
) -> Iterator[Row]:
    seen: dict[str, list[float]] = dict(checkpoint.state["seen"]) if checkpoint.state else {}
    ends = log_iterations(iterations)
    checkpoint.started()

    def state() -> dict[str, Any]:
        return {"detector": detector.state(), "seen": seen}

    for number in range(checkpoint.iteration, iterations):
        if should_stop():
            checkpoint.save(number, state())
            return
        measured = detector.iterate(number)
        latest = {n: measured.pop(n) for n in (MICRO_BATCH_ROW,) if n in measured}
        for name, value in measured.items():
            seen.setdefault(name, []).append(value)
        if number + 1 in ends:
            row = {name: float(np.mean(values)) for name, values in seen.items()}
            row |= latest
            seen.clear()
            checkpoint.history.append(row)
            yield row
        checkpoint.save_if_due(number + 1, state)
    checkpoint.finish(iterations, {"detector": detector.state(is_finished=True)})
