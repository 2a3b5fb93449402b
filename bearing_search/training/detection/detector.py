"""Interface and training loop of detectors, which model normal features to find anomalies.

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
    """A trainable detector; an iteration depends only on its number and the state before it."""

    failure_hint: str
    """What to change if a number is not finite."""

    features: NormalFeatures
    """Features of the normal samples, and the reader for any others."""

    def iterate(self, number: int) -> dict[str, float]:
        """Run iteration `number` (0-based); returns measurements by name.

        The mean over a row's iterations is logged; for `micro_batch` (the micro-batch size, if a
        batch was split) the last value.

        Raises:
            TrialFailedError: something is not finite. The detector is unchanged.
        """
        ...

    def detect(
        self, pixels: UInt8[np.ndarray, "n s s 3"], read: Features | None = None
    ) -> Detection:
        """Distances of prepared images, after training.

        Args:
            read: their features from `features.feature_reader`; None: computed now.
        """
        ...

    def state(self, *, is_finished: bool = False) -> dict[str, Any]:
        """Tensors that a later `load` needs to continue with the next iteration.

        Args:
            is_finished: whether training is complete, so that only detection is needed.

        Raises:
            TrialFailedError: a weight is not finite.
        """
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Restore an earlier `state` of this detector or of an equal one."""
        ...


@runtime_checkable
class BuildDetector(Protocol):
    """Signature of the function that `DetectorSpec.build` names."""

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
            encoder: frozen.
            config: the trial. Only `seed`, the detector's own section and `decoder` may be read:
                they identify the trained detector in the stage cache.
            normals: prepared training images.
            rotation_deg: maximum rotation of the images in either direction during training.
            device: device to run on.
        """
        ...


def make_detector(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> Detector:
    """The detector named by the config, untrained, on a frozen encoder."""
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
    """Run the rest of the training and yield mean measurements, starting with earlier ones.

    Afterwards the detector is trained if `checkpoint.is_finished`; otherwise the stage was asked
    to stop and saved its state.

    Raises:
        TrialFailedError: a loss, the gradient, a weight or a feature is not finite.
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
