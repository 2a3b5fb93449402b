"""Interface of decoders that are trained as detectors (`training.detection.decoder`).

Axis letters: l layers read from the encoder, k layers reconstructed, b batch, t tokens with
prefix, p patch tokens, d width.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class Decoder(Protocol):
    """A `torch.nn.Module` that reconstructs encoder features."""

    @property
    def reads(self) -> tuple[tuple[int, ...], ...]:
        """Groups of encoder blocks; the mean tokens of each group are one input."""
        ...

    def __call__(self, gathered: Float[Tensor, "l b t d"]) -> Float[Tensor, "k b _ d"]:
        """Reconstructed patch tokens, optionally preceded by prefix tokens."""
        ...

    def targets(self, gathered: Float[Tensor, "l b t d"]) -> Float[Tensor, "k b t d"]:
        """Encoder features that the reconstructions are compared with."""
        ...

    def loss(
        self,
        targets: Float[Tensor, "k b p d"],
        outputs: Float[Tensor, "k b p d"],
        *,
        iteration: int,
        thresholds: Tensor | None = None,
    ) -> Float[Tensor, ""]:
        """Loss over the patches of a batch, or of a micro-batch given the batch's `thresholds`.

        A patch that is 0 in `targets` and `outputs` is left out
        (`decoder.leave_out_masked_patches`).
        """
        ...

    def thresholds(
        self, answers: Iterable[tuple[Tensor, Tensor]], *, iteration: int
    ) -> Tensor | None:
        """What the loss of a micro-batch needs from the whole batch; None: nothing.

        Args:
            answers: targets and reconstructions of each micro-batch, patches only; computed lazily.
        """
        ...

    def distances(
        self, targets: Float[Tensor, "k b p d"], outputs: Float[Tensor, "k b p d"]
    ) -> Float[Tensor, "k b p"]:
        """How anomalous each patch is, given its reconstruction; higher is more anomalous."""
        ...

    # from nn.Module
    def parameters(self) -> Iterator[nn.Parameter]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...  # noqa: D102
    def to(self, device: str) -> Any: ...  # noqa: D102
    def train(self, mode: bool = True) -> Any: ...  # noqa: D102
