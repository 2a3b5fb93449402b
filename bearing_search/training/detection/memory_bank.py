"""PatchCore and PaDiM as detectors: normal samples are read once, then the memory is fitted.

They train no weights and use no augmentation: parts that are rotated in decoder training are not
rotated here. Axis letters: n samples, s side of the input in pixels, b batch, c channels,
p patches, h w rows and columns.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from bearing_search.config import TrialConfig
from bearing_search.errors import TrialFailedError
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.models.encoders.tokens import tokens_to_map
from bearing_search.training.backbone import Backbone
from bearing_search.training.detection.detection import Detection
from bearing_search.training.features import (
    PORTION,
    FeatureReader,
    Features,
    NormalFeatures,
    read_part,
)
from bearing_search.training.images import Images
from bearing_search.training.microbatch import each_portion
from bearing_search.training.plan import detector_iterations


@runtime_checkable
class MemoryBank(Protocol):
    """A model of the normal patches that measures the distance of others to it."""

    def embed(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b c h w"]:
        """Patch features from the feature maps of the layers that are read, finest first."""
        ...

    def fit(self, patches: Float[Tensor, "n p c"]) -> dict[str, float]:
        """Fit to the normal patches; returns measurements by name."""
        ...

    def measure(
        self, patches: Float[Tensor, "b p c"]
    ) -> tuple[Float[Tensor, "b p"], Float[Tensor, " b"] | None]:
        """Distance of every patch, and image scores if it has a rule for them."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Tensors that a later `load` needs."""
        ...

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore an earlier `state`."""
        ...


class MemoryBankDetector:
    """Reads the normal samples in chunks, then fits a memory bank to them (see `Detector`).

    Args:
        encoder: will be frozen.
        memory: not fitted yet.
        reads: layers of a convolutional network, or blocks of a vision transformer.
        config: the trial.
        normals: prepared images.
        device: device to run on.
    """

    def __init__(
        self,
        encoder: Backbone,
        memory: MemoryBank,
        reads: Sequence[int],
        config: TrialConfig,
        *,
        normals: Images,
        device: str,
    ) -> None:
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self._memory = memory
        feature_reader = FeatureReader(
            self.encoder, [(one,) for one in reads], is_rounded=False, device=device
        )
        self.features = NormalFeatures(feature_reader, normals, is_static=True)
        self._device = device
        self._grid = (0, 0)
        self._shares = detector_iterations(config) - 1
        self._patches: dict[int, list[Float[Tensor, "b p c"]]] = {}
        self.failure_hint = "Lower finetune.encoder_lr, or use other weights."

    def iterate(self, number: int) -> dict[str, float]:
        """Read a chunk of the samples; the last iteration fits the memory to all of them.

        Raises:
            TrialFailedError: a feature of the encoder is not finite.
        """
        if number < self._shares:
            self._embed_share(number)
            return {"read_share": (number + 1) / self._shares}
        # chunks read before an interruption are read again, which is faster than storing them
        for share in range(self._shares):
            if share not in self._patches:
                self._embed_share(share)
        batches = [batch for share in range(self._shares) for batch in self._patches[share]]
        measured = self._memory.fit(torch.cat(batches))
        self._patches.clear()
        return measured

    @torch.no_grad()
    def detect(
        self, pixels: UInt8[np.ndarray, "n s s 3"], read: Features | None = None
    ) -> Detection:
        """Distance of each patch to the memory bank, as a single layer."""

        def of(part: slice) -> tuple[np.ndarray, np.ndarray | None]:
            embedded = self._embed(read_part(self.features.feature_reader, pixels, part, read))
            found, own = self._memory.measure(embedded)
            own_scores = None if own is None else own.cpu().numpy()
            return found.reshape(-1, 1, *self._grid).cpu().numpy(), own_scores

        found = each_portion(len(pixels), of, at_most=PORTION, what="distances")
        scores = [own for _, own in found if own is not None]
        return Detection(
            distances=np.concatenate([distances for distances, _ in found]),
            own_scores=np.concatenate(scores) if scores else None,
        )

    def state(self, *, is_finished: bool = False) -> dict[str, Any]:
        """State for detection after `load`; empty before the end, as chunks are read again."""
        return {"memory": self._memory.state()} if is_finished else {}

    def load(self, state: dict[str, Any]) -> None:
        """Restore an earlier `state`; one from before the end of training is empty."""
        if "memory" in state:
            self._memory.load({k: v.to(self._device) for k, v in state["memory"].items()})

    @torch.no_grad()
    def _embed_share(self, share: int) -> None:
        positions = np.array_split(np.arange(len(self.features.samples)), self._shares)[share]
        first = int(positions[0]) if len(positions) else 0

        def of(part: slice) -> Float[Tensor, "b p c"]:
            here = slice(first + part.start, first + part.stop)
            return self._embed(self.features.of(here))

        self._patches[share] = each_portion(len(positions), of, at_most=PORTION, what="features")
        if not all(bool(batch.isfinite().all()) for batch in self._patches[share]):
            raise TrialFailedError("a feature of the encoder is not finite")

    def _embed(self, read: Features) -> Float[Tensor, "b p c"]:
        """Patch features of samples, from their encoder features."""
        features = self._memory.embed([self._map(f.to(self._device)) for f in read])
        rows, columns = features.shape[2:]
        self._grid = (rows, columns)
        return features.flatten(2).transpose(1, 2).contiguous()

    def _map(self, features: Float[Tensor, "b ..."]) -> Float[Tensor, "b _ _ _"]:
        if isinstance(self.encoder, Cnn):
            return features
        return tokens_to_map(features, self.encoder)
