"""Training of the Dinomaly decoder on normal samples, against the encoder as it now is.

Axis letters: g groups, b batch, t tokens with prefix, d width, m side of the map in pixels.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from bearing_search.config import DinomalyConfig
from bearing_search.errors import TrialFailedError
from bearing_search.model.dinomaly import DinomalyDecoder, anomaly_map, group_targets
from bearing_search.model.encoder import Encoder
from bearing_search.model.losses import dinomaly_loss, mining_share_at
from bearing_search.model.optim import stable_adamw, warm_cosine
from bearing_search.stages.checkpoint import Checkpoint, Row
from bearing_search.stages.loading import (
    Images,
    pick,
    rotate,
    to_input,
)
from bearing_search.stages.order import endless_batch, rotation_angle
from bearing_search.stages.plans import row_ends
from bearing_search.stages.precision import autocast, storage_dtype

_ENCODE_BATCH = 16
_MAX_CACHE_BYTES = 4 * 2**30


class Decoding:
    """A decoder, its optimiser and its targets: what one iteration needs."""

    def __init__(
        self,
        encoder: Encoder,
        config: DinomalyConfig,
        *,
        normals: Images,
        rotation_deg: float,
        seed: int,
        device: str,
    ) -> None:
        torch.manual_seed(seed)  # initial weights of the decoder
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.decoder = DinomalyDecoder(encoder.dim, encoder.num_heads, config).to(device)
        self._optimizer = stable_adamw(self.decoder.parameters(), config)
        self._config, self._seed, self._device = config, seed, device
        self._normals, self._rotation_deg = normals, rotation_deg
        self._targets: Float[Tensor, "n g t d"] | None = None

    def iterate(self, number: int) -> Float[Tensor, ""]:
        """One optimiser step; returns its loss, detached."""
        config = self._config
        learning_rate = warm_cosine(
            number,
            total=config.iterations,
            warmup=config.lr_warmup_iters,
            peak=config.lr,
            final=config.final_lr,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        torch.manual_seed(self._seed * 1_000_003 + number)  # dropout
        batch = endless_batch(
            number, len(self._normals), batch_size=config.batch_size, seed=(self._seed, 3)
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
        nn.utils.clip_grad_norm_(self.decoder.parameters(), config.grad_clip)
        self._optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def anomaly_maps(
        self, pixels: UInt8[np.ndarray, "n s s 3"], *, map_px: int
    ) -> Float[np.ndarray, "n m m"]:
        """Anomaly maps of prepared images; higher is more anomalous, in [0, 2]."""
        self.decoder.eval()
        maps = []
        for start in range(0, len(pixels), _ENCODE_BATCH):
            targets = self._encode(pixels[start : start + _ENCODE_BATCH]).float()
            with autocast(self._device):
                outputs = self.decoder(targets)
            maps.append(
                anomaly_map(
                    targets,
                    outputs,
                    num_prefix_tokens=self.encoder.num_prefix_tokens,
                    grid=self.encoder.grid,
                    input_px=self.encoder.input_px,
                    map_px=map_px,
                    smoothing_sigma_px=self._config.smoothing_sigma_px,
                ).cpu()
            )
        self.decoder.train()
        return torch.cat(maps).numpy()

    def state(self) -> dict[str, Any]:
        """What a later `load` needs to go on."""
        return {"decoder": self.decoder.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from an earlier `state`; that of a finished stage has no optimiser any more."""
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


def train_decoder(
    decoding: Decoding,
    *,
    iterations: int,
    checkpoint: Checkpoint,
    should_stop: Callable[[], bool],
) -> Iterator[Row]:
    """Run what is left of the training, yielding mean losses as it goes (earlier ones first).

    Afterwards the decoder is trained if `checkpoint.is_finished`; otherwise the stage was asked
    to stop and has saved its state.

    Raises:
        TrialFailedError: the loss is not finite.
    """
    if checkpoint.state is not None:
        decoding.load(checkpoint.state["decoding"])
    yield from list(checkpoint.history)
    if checkpoint.is_finished:
        return
    losses: list[float] = list(checkpoint.state["losses"]) if checkpoint.state else []
    ends = row_ends(iterations)
    checkpoint.started()

    def state() -> dict[str, Any]:
        return {"decoding": decoding.state(), "losses": losses}

    for number in range(checkpoint.iteration, iterations):
        if should_stop():
            checkpoint.save(number, state())
            return
        losses.append(float(decoding.iterate(number)))
        if not np.isfinite(losses[-1]):
            raise TrialFailedError(
                f"decoder: loss is not finite at iteration {number}. Lower dinomaly.lr."
            )
        if number + 1 in ends:
            row = {"decoder_loss": float(np.mean(losses))}
            losses.clear()
            checkpoint.history.append(row)
            yield row
        checkpoint.save_if_due(number + 1, state)
    checkpoint.finish(iterations, {"decoding": {"decoder": decoding.decoder.state_dict()}})
