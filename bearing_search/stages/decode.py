"""The Dinomaly decoder as a detector: trained on normal samples, against the encoder as it now is.

Axis letters: g groups, b batch, t tokens with prefix, d width, h w rows and columns of patches.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from bearing_search.config import DecoderConfig, DinomalyConfig
from bearing_search.model.dinomaly import DinomalyDecoder, group_targets, patch_distances
from bearing_search.model.encoder import Encoder
from bearing_search.model.losses import dinomaly_loss, mining_share_at
from bearing_search.model.optim import stable_adamw, warm_cosine
from bearing_search.stages.detection import Detection
from bearing_search.stages.loading import Images, pick, rotate, to_input
from bearing_search.stages.order import endless_batch, rotation_angle
from bearing_search.stages.precision import autocast, storage_dtype

_ENCODE_BATCH = 16
_MAX_CACHE_BYTES = 4 * 2**30


class DinomalyDetector:
    """A decoder, its optimiser and its targets: what one iteration needs (see `Detector`)."""

    def __init__(
        self,
        encoder: Encoder,
        config: DinomalyConfig,
        training: DecoderConfig,
        *,
        normals: Images,
        rotation_deg: float,
        seed: int,
        device: str,
    ) -> None:
        torch.manual_seed(seed)  # initial weights of the decoder
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.decoder = DinomalyDecoder(encoder.dim, encoder.num_heads, config).to(device)
        self._optimizer = stable_adamw(self.decoder.parameters(), training)
        self._config, self._training = config, training
        self._seed, self._device = seed, device
        self.iterations = training.iterations
        self._normals, self._rotation_deg = normals, rotation_deg
        self._targets: Float[Tensor, "n g t d"] | None = None

    def iterate(self, number: int) -> dict[str, Float[Tensor, ""]]:
        """One optimiser step; returns its loss, detached."""
        config, training = self._config, self._training
        learning_rate = warm_cosine(
            number,
            total=training.iterations,
            warmup=training.lr_warmup_iters,
            peak=training.lr,
            final=training.final_lr,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        torch.manual_seed(self._seed * 1_000_003 + number)  # dropout
        batch = endless_batch(
            number, len(self._normals), batch_size=training.batch_size, seed=(self._seed, 3)
        )
        targets = self._batch_targets(batch, number)
        with autocast(self._device):
            outputs = self.decoder(targets)
        prefix = self.encoder.num_prefix_tokens
        loss = dinomaly_loss(
            targets[:, :, prefix:],
            outputs[:, :, prefix:],
            mining_share=mining_share_at(number, config),
            mining_factor=config.mining_factor,
        )
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.decoder.parameters(), training.grad_clip)
        self._optimizer.step()
        return {"decoder_loss": loss.detach()}

    @torch.no_grad()
    def detect(self, pixels: UInt8[np.ndarray, "n s s 3"]) -> Detection:
        """Distance of each patch in each group: 1 - cosine, in [0, 2]."""
        self.decoder.eval()
        distances = []
        for start in range(0, len(pixels), _ENCODE_BATCH):
            targets = self._encode(pixels[start : start + _ENCODE_BATCH]).float()
            with autocast(self._device):
                outputs = self.decoder(targets)
            found = patch_distances(
                targets,
                outputs,
                num_prefix_tokens=self.encoder.num_prefix_tokens,
                grid=self.encoder.grid,
            )
            distances.append(found.cpu())
        self.decoder.train()
        return Detection(distances=torch.cat(distances).numpy(), own_scores=None)

    def state(self) -> dict[str, Any]:
        """What a later `load` needs to go on."""
        return {**self.result(), "optimizer": self._optimizer.state_dict()}

    def result(self) -> dict[str, Any]:
        """What a later `load` needs to detect."""
        return {"decoder": self.decoder.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from an earlier `state`, or detect with an earlier `result`."""
        self.decoder.load_state_dict(state["decoder"])
        if "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])

    @torch.no_grad()
    def _batch_targets(self, batch: Int[np.ndarray, " b"], number: int) -> Float[Tensor, "g b t d"]:
        """Targets of a batch: cached without rotation, since the encoder no longer changes."""
        if self._rotation_deg:
            angle = rotation_angle(self._rotation_deg, seed=(self._seed, 4, number))
            return self._encode(rotate(pick(self._normals, batch), angle).pixels).float()
        if self._targets is None:
            self._targets = self._all_targets()
        picked = self._targets[torch.from_numpy(batch).to(self._targets.device)]
        return picked.to(self._device).transpose(0, 1).float()

    def _all_targets(self) -> Float[Tensor, "n g t d"]:
        pixels = self._normals.pixels
        first = self._encode(pixels[:1]).transpose(0, 1)
        is_small = first.numel() * first.element_size() * len(pixels) <= _MAX_CACHE_BYTES
        home = self._device if is_small else "cpu"
        chunks = [
            self._encode(pixels[start : start + _ENCODE_BATCH]).transpose(0, 1).to(home)
            for start in range(0, len(pixels), _ENCODE_BATCH)
        ]
        return torch.cat(chunks)

    def _encode(self, pixels: UInt8[np.ndarray, "b s s 3"]) -> Float[Tensor, "g b t d"]:
        images = to_input(pixels, self._device)
        with autocast(self._device):
            output = self.encoder(images, self._config.target_blocks)
        return group_targets(output, self._config).to(storage_dtype(self._device))
