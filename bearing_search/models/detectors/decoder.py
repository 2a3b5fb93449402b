"""What a decoder must offer to be trained as a detector (`training.detection.decoder`).

Axis letters: l layers that are read of the encoder, k layers that are answered, b batch, t tokens
with prefix, p patch tokens, d width.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class Decoder(Protocol):
    """A `torch.nn.Module` that answers what it is given of the encoder."""

    @property
    def reads(self) -> tuple[tuple[int, ...], ...]:
        """Groups of blocks, whose mean tokens it is given."""
        ...

    def __call__(self, gathered: Float[Tensor, "l b t d"]) -> Float[Tensor, "k b _ d"]:
        """Its answers: patch tokens, perhaps with prefix tokens before them."""
        ...

    def targets(self, gathered: Float[Tensor, "l b t d"]) -> Float[Tensor, "k b t d"]:
        """What its answers are compared with."""
        ...

    def loss(
        self,
        targets: Float[Tensor, "k b p d"],
        outputs: Float[Tensor, "k b p d"],
        *,
        iteration: int,
        thresholds: Tensor | None = None,
    ) -> Float[Tensor, ""]:
        """Loss over the patches of a batch, or of a part of it, given its `thresholds`."""
        ...

    def thresholds(
        self, answers: Iterable[tuple[Tensor, Tensor]], *, iteration: int
    ) -> Tensor | None:
        """What the loss of a part must know of the whole batch; None: nothing.

        Args:
            answers: targets and answers of each part, patches only; made only where they are
                looked at.
        """
        ...

    def distances(
        self, targets: Float[Tensor, "k b p d"], outputs: Float[Tensor, "k b p d"]
    ) -> Float[Tensor, "k b p"]:
        """How anomalous each patch is, by its answer; higher is more."""
        ...

    # of nn.Module
    def parameters(self) -> Iterator[nn.Parameter]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...  # noqa: D102
    def to(self, device: str) -> Any: ...  # noqa: D102
    def train(self, mode: bool = True) -> Any: ...  # noqa: D102
