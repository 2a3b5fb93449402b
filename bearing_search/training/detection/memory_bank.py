"""PatchCore and PaDiM as detectors: normal samples are read once, then remembered.

They learn no weights, so they read the samples as they are: parts that are rotated while decoders
train are not rotated here. Axis letters: n samples, s side of the input in pixels, b batch,
c channels, p patches, h w rows and columns.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from bearing_search.config import PadimConfig, PatchCoreConfig, TrialConfig
from bearing_search.errors import TrialFailedError
from bearing_search.models.detectors.padim import Padim
from bearing_search.models.detectors.patchcore import PatchCore
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.models.encoders.tokens import tokens_to_map
from bearing_search.training.backbone import Backbone
from bearing_search.training.detection.detection import Detection
from bearing_search.training.features import PORTION, FeatureReader, Features
from bearing_search.training.images import Images
from bearing_search.training.microbatch import MicroBatches, each_portion
from bearing_search.training.plan import READ_SHARES, detector_iterations

MemoryBank = PatchCore | Padim
"""`embed`s the maps of the layers that are read, finest first, `fit`s the normal patches, and
`measure`s how strange others are; `state` and `load` keep it."""


def make_memory_bank(
    config: TrialConfig, *, is_cnn: bool
) -> tuple[MemoryBank, PatchCoreConfig | PadimConfig]:
    """The empty memory of the config's detector, and its section."""
    if config.detector == "padim":
        return Padim(config.padim, seed=config.seed), config.padim
    section = config.patchcore
    side = section.averaged_side(is_cnn=is_cnn)
    return PatchCore(section, seed=config.seed, averaged_side=side), section


class MemoryBankDetector:
    """Reads the normal samples share by share and remembers them in the end (see `Detector`)."""

    def __init__(
        self, encoder: Backbone, config: TrialConfig, *, normals: Images, device: str
    ) -> None:
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        is_cnn = isinstance(encoder, Cnn)
        self._memory, section = make_memory_bank(config, is_cnn=is_cnn)
        reads = [(one,) for one in (section.layers if is_cnn else section.blocks)]
        self.feature_reader = FeatureReader(self.encoder, reads, is_rounded=False, device=device)
        self._read: Features | None = None
        self._normals, self._device = normals, device
        self._grid = (0, 0)
        self._patches: dict[int, list[Float[Tensor, "b p c"]]] = {}
        self.micro_batches = MicroBatches("detector")  # never asked: nothing is learned in batches
        self.failure_hint = "Lower finetune.encoder_lr, or take other weights."
        self.iterations = detector_iterations(config)

    def iterate(self, number: int) -> dict[str, float]:
        """Read a share of the samples; the last iteration makes the memory of all of them.

        Raises:
            TrialFailedError: a feature of the encoder is not finite.
        """
        if number < READ_SHARES:
            self._embed_share(number)
            return {"read_share": (number + 1) / READ_SHARES}
        # what an interrupted training had read is read again: quicker than storing it
        for share in range(READ_SHARES):
            if share not in self._patches:
                self._embed_share(share)
        batches = [batch for share in range(READ_SHARES) for batch in self._patches[share]]
        measured = self._memory.fit(torch.cat(batches))
        self._patches.clear()
        return measured

    @property
    def static_samples(self) -> Images:
        """The normal samples: nothing turns them."""
        return self._normals

    def use_features(self, read: Features) -> None:
        """Take over what `feature_reader` has read of the normal samples."""
        self._read = read

    @torch.no_grad()
    def detect(
        self, pixels: UInt8[np.ndarray, "n s s 3"], read: Features | None = None
    ) -> Detection:
        """Distance of each patch to what is remembered, in one layer."""

        def of(part: slice) -> tuple[np.ndarray, np.ndarray | None]:
            found, own = self._memory.measure(self._embed(pixels, read, part))
            own_scores = None if own is None else own.cpu().numpy()
            return found.reshape(-1, 1, *self._grid).cpu().numpy(), own_scores

        found = each_portion(len(pixels), of, at_most=PORTION, what="distances")
        scores = [own for _, own in found if own is not None]
        return Detection(
            distances=np.concatenate([distances for distances, _ in found]),
            own_scores=np.concatenate(scores) if scores else None,
        )

    def state(self) -> dict[str, Any]:
        """Nothing: what was read is read again."""
        return {}

    def result(self) -> dict[str, Any]:
        """What a later `load` needs to detect."""
        return {"memory": self._memory.state()}

    def load(self, state: dict[str, Any]) -> None:
        """Detect with an earlier `result`; a `state` has nothing to take over."""
        if "memory" in state:
            self._memory.load({k: v.to(self._device) for k, v in state["memory"].items()})

    @torch.no_grad()
    def _embed_share(self, share: int) -> None:
        positions = np.array_split(np.arange(len(self._normals)), READ_SHARES)[share]
        first = int(positions[0]) if len(positions) else 0

        def of(part: slice) -> Float[Tensor, "b p c"]:
            here = slice(first + part.start, first + part.stop)
            return self._embed(self._normals.pixels, self._read, here)

        self._patches[share] = each_portion(len(positions), of, at_most=PORTION, what="features")
        if not all(bool(batch.isfinite().all()) for batch in self._patches[share]):
            raise TrialFailedError("a feature of the encoder is not finite")

    def _embed(
        self, pixels: UInt8[np.ndarray, "n s s 3"], read: Features | None, part: slice
    ) -> Float[Tensor, "b p c"]:
        """Patches of some samples, read now or taken of what was read."""
        found = self.feature_reader(pixels[part]) if read is None else [f[part] for f in read]
        features = self._memory.embed([self._map(f.to(self._device)) for f in found])
        rows, columns = features.shape[2:]
        self._grid = (rows, columns)
        return features.flatten(2).transpose(1, 2).contiguous()

    def _map(self, features: Float[Tensor, "b ..."]) -> Float[Tensor, "b _ _ _"]:
        if isinstance(self.encoder, Cnn):
            return features
        return tokens_to_map(features, self.encoder)
