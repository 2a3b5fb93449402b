"""Detectors: what learns the normal samples' tokens and finds those that are strange.

Axis letters: n samples, s side of the input in pixels.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from bearing_search.config import TrialConfig
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.training.backbone import Backbone
from bearing_search.training.checkpoint import Checkpoint, Row
from bearing_search.training.detection.decoder import DecoderDetector
from bearing_search.training.detection.detection import Detection
from bearing_search.training.detection.memory_bank import MemoryBankDetector
from bearing_search.training.features import FeatureReader, Features
from bearing_search.training.images import Images
from bearing_search.training.microbatch import MicroBatches
from bearing_search.training.nonfinite import stage_error_context
from bearing_search.training.plan import log_iterations


@runtime_checkable
class Detector(Protocol):
    """Learns in a known number of iterations, each a function of its number alone."""

    iterations: int

    failure_hint: str
    """What to change where a number is not finite."""

    micro_batches: MicroBatches
    """How much of a batch goes through the network at once."""

    def iterate(self, number: int) -> dict[str, float]:
        """Do iteration `number` (0-based); returns what was measured, by name.

        Raises:
            TrialFailedError: something is not finite. The detector is as it was before.
        """
        ...

    feature_reader: FeatureReader
    """How it reads its encoder."""

    @property
    def static_samples(self) -> Images | None:
        """The normal samples, if it always reads them as they are, so that they may be read
        before."""
        ...

    def use_features(self, read: Features) -> None:
        """Take over what `feature_reader` has read of `static_samples`."""
        ...

    def detect(
        self, pixels: UInt8[np.ndarray, "n s s 3"], read: Features | None = None
    ) -> Detection:
        """Distances of prepared images, once all iterations are done.

        Args:
            read: what `feature_reader` has read of them; None: that is done now.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Tensors that a later `load` needs to go on with the next iteration.

        Raises:
            TrialFailedError: a weight is not finite.
        """
        ...

    def result(self) -> dict[str, Any]:
        """Tensors that a later `load` needs to detect."""
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Take over an earlier `state` or `result`."""
        ...


def make_detector(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> Detector:
    """The detector that the config asks for, untrained, on an encoder that no longer changes."""
    match config.detector:
        case "patchcore" | "padim":
            return MemoryBankDetector(encoder, config, normals=normals, device=device)
        case "dinomaly" | "vitad":
            assert isinstance(encoder, Encoder)  # `check_backbone` refused others
            return DecoderDetector(
                encoder, config, normals=normals, rotation_deg=rotation_deg, device=device
            )


def train_detector(
    detector: Detector, *, checkpoint: Checkpoint, should_stop: Callable[[], bool]
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
        yield from _iterations(detector, checkpoint, should_stop)


def _iterations(
    detector: Detector, checkpoint: Checkpoint, should_stop: Callable[[], bool]
) -> Iterator[Row]:
    seen: dict[str, list[float]] = dict(checkpoint.state["seen"]) if checkpoint.state else {}
    ends = log_iterations(detector.iterations)
    checkpoint.started()

    def state() -> dict[str, Any]:
        return {"detector": detector.state(), "seen": seen}

    for number in range(checkpoint.iteration, detector.iterations):
        if should_stop():
            checkpoint.save(number, state())
            return
        for name, value in detector.iterate(number).items():
            seen.setdefault(name, []).append(value)
        if number + 1 in ends:
            row = {name: float(np.mean(values)) for name, values in seen.items()}
            row |= detector.micro_batches.row
            seen.clear()
            checkpoint.history.append(row)
            yield row
        checkpoint.save_if_due(number + 1, state)
    detector.state()  # refuses weights that the last step broke
    checkpoint.finish(detector.iterations, {"detector": detector.result()})
