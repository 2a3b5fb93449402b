"""Decoders as detectors: trained on normal samples to reconstruct the frozen encoder's features.

Axis letters: l layers read from the encoder, k layers reconstructed, b batch, t tokens with
prefix, p patch tokens, d width, h w rows and columns of patches.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from bearing_search.config import DecoderConfig, TrialConfig
from bearing_search.models.detectors.decoder import Decoder
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.encoders.tokens import on_grid, untouched_patches
from bearing_search.models.finetuning.schedule import warm_cosine
from bearing_search.models.optim import stable_adamw
from bearing_search.training.batching import (
    brightness_factor,
    flip_code,
    infinite_batches,
    rotation_angle,
)
from bearing_search.training.detection.detection import Detection
from bearing_search.training.features import (
    PORTION,
    FeatureReader,
    Features,
    NormalFeatures,
    read_part,
)
from bearing_search.training.images import (
    Images,
    brighten,
    flip,
    region_of,
    require_untouched_patches,
    rotate,
    take,
)
from bearing_search.training.microbatch import DRAWS, MicroBatches, each_portion, share_of
from bearing_search.training.nonfinite import require_finite, require_finite_weights
from bearing_search.training.precision import autocast

_MAX_CACHE_BYTES = 4 * 2**30


class DecoderDetector:
    """A decoder with its optimiser and training data (see `Detector`).

    Args:
        encoder: will be frozen.
        make: creates the decoder, with initial weights from the global random state.
        config: the trial; its seed and `decoder` section are used.
        normals: prepared images.
        rotation_deg: maximum rotation of a batch in either direction.
        device: device to train on.
    """

    def __init__(
        self,
        encoder: Encoder,
        make: Callable[[], Decoder],
        config: TrialConfig,
        *,
        normals: Images,
        rotation_deg: float,
        device: str,
    ) -> None:
        if config.decoder.leave_out_masked_patches:
            setting = "decoder.leave_out_masked_patches"
            require_untouched_patches(normals, encoder.patch_px, setting=setting)
        torch.manual_seed(config.seed)  # initial weights of the decoder
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.decoder = make().to(device)
        self._optimizer = stable_adamw(self.decoder.parameters(), config.decoder)
        self._training: DecoderConfig = config.decoder
        self._seed, self._device = config.seed, device
        self.failure_hint = "Lower decoder.lr."
        self._normals, self._rotation_deg = normals, rotation_deg
        feature_reader = FeatureReader(
            self.encoder, self.decoder.reads, is_rounded=True, device=device
        )
        self._is_static = not rotation_deg and not config.decoder.alters_images
        self.features = NormalFeatures(feature_reader, normals, is_static=self._is_static)
        self._gathered: Float[Tensor, "n l t d"] | None = None
        self._may_keep_on_device = True
        self.micro_batches = MicroBatches("detector")

    def iterate(self, number: int) -> dict[str, float]:
        """One optimiser step; returns its loss.

        Raises:
            TrialFailedError: the loss or the gradient is not finite. The weights are unchanged.
        """
        training = self._training
        learning_rate = warm_cosine(
            number,
            total=training.iterations,
            warmup=training.lr_warmup_iters,
            peak=training.lr,
            final=training.final_lr,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        batch = infinite_batches(
            number, len(self._normals), batch_size=training.batch_size, seed=(self._seed, 3)
        )
        measured = self.micro_batches.step(
            len(batch),
            lambda parts: self.accumulate_gradient(batch, number, parts),
            relieve=self._relieve,
        )
        norm = nn.utils.clip_grad_norm_(self.decoder.parameters(), training.grad_clip)
        require_finite(
            {**measured, "the gradient": float(norm)},
            iteration=number,
            rate=f"decoder lr {learning_rate:.2g}",
        )
        self._optimizer.step()
        return measured | self.micro_batches.row

    @torch.no_grad()
    def detect(
        self, pixels: UInt8[np.ndarray, "n s s 3"], read: Features | None = None
    ) -> Detection:
        """Distance of each patch in each layer, as the decoder measures it."""
        self.decoder.train(mode=False)

        def of(part: slice) -> Float[Tensor, "b k h w"]:
            found = read_part(self.features.feature_reader, pixels, part, read)
            answered = self._answer(torch.stack(found).to(self._device).float())
            return on_grid(self.decoder.distances(*answered), self.encoder.grid).cpu()

        distances = each_portion(len(pixels), of, at_most=PORTION, what="distances")
        self.decoder.train()
        return Detection(distances=torch.cat(distances).numpy(), own_scores=None)

    def state(self, *, is_finished: bool = False) -> dict[str, Any]:
        """State for a later `load`: to resume training or, once finished, to detect.

        Raises:
            TrialFailedError: a weight is not finite.
        """
        require_finite_weights(self.decoder.parameters())
        weights = {"decoder": self.decoder.state_dict()}
        if is_finished:
            return weights
        return {
            **weights,
            "optimizer": self._optimizer.state_dict(),
            "micro_batch": self.micro_batches.size,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore an earlier `state`."""
        self.decoder.load_state_dict(state["decoder"])
        if "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])
            self.micro_batches.size = state.get("micro_batch")

    def accumulate_gradient(
        self, batch: Int[np.ndarray, " b"], number: int, parts: Sequence[slice]
    ) -> dict[str, float]:
        """Accumulate the gradient of a batch in the parameters; returns its loss.

        The loss is a mean over samples, but which points are easy depends on the whole batch. So
        micro-batches run twice with the same dropout masks: first to find the thresholds.
        """
        self._optimizer.zero_grad(set_to_none=True)
        gathered = [self._gathered_of(batch[part], number) for part in parts]

        def answers() -> Iterator[tuple[Tensor, Tensor]]:
            for index, (tokens, kept) in enumerate(gathered):
                torch.manual_seed(self._seed * 1_000_003 + number + index * DRAWS)  # dropout
                targets, outputs = self._answer(tokens)
                yield (targets, outputs) if kept is None else (targets * kept, outputs * kept)

        thresholds = None
        if len(parts) > 1:
            thresholds = self.decoder.thresholds(answers(), iteration=number)
        total = 0.0
        for part, (targets, outputs) in zip(parts, answers(), strict=True):
            loss = self.decoder.loss(targets, outputs, iteration=number, thresholds=thresholds)
            loss = share_of(part, len(batch)) * loss
            torch.autograd.backward(loss)
            total += float(loss.detach())
        return {"decoder_loss": total}

    def augmented(self, images: Images, number: int) -> Images:
        """The images of an iteration, all rotated, flipped and brightened alike."""
        angle = rotation_angle(self._rotation_deg, seed=(self._seed, 4, number))
        altered = rotate(images, angle)
        if self._training.flip:
            altered = flip(altered, flip_code(seed=(self._seed, 11, number)))
        limit = self._training.brightness_jitter
        return brighten(altered, brightness_factor(limit, seed=(self._seed, 12, number)))

    def _relieve(self) -> bool:
        """Move cached features from the device to main memory; returns whether there were any."""
        if not self._may_keep_on_device or self._device == "cpu" or not self._is_static:
            return False
        self._may_keep_on_device = False
        self._gathered = None if self._gathered is None else self._gathered.cpu()
        return True

    def _answer(
        self, gathered: Float[Tensor, "l b t d"]
    ) -> tuple[Float[Tensor, "k b p d"], Float[Tensor, "k b p d"]]:
        """Targets and reconstructions, patches only."""
        with autocast(self._device):
            outputs = self.decoder(gathered)
        rows, columns = self.encoder.grid
        patches = rows * columns
        return self.decoder.targets(gathered)[:, :, -patches:], outputs[:, :, -patches:]

    @torch.no_grad()
    def _gathered_of(
        self, batch: Int[np.ndarray, " b"], number: int
    ) -> tuple[Float[Tensor, "l b t d"], Bool[Tensor, "b p 1"] | None]:
        """The decoder's input for a batch, cached unless images are augmented, and the patches that
        its loss is of; None: all."""
        with_roi = self._training.leave_out_masked_patches
        if not self._is_static:
            altered = self.augmented(take(self._normals, batch, with_roi=with_roi), number)
            tokens = torch.stack(self.features.feature_reader(altered.pixels)).float()
            return tokens, self._kept(altered.roi)
        if self._gathered is None:
            self._gathered = self._all_gathered()
        picked = self._gathered[torch.from_numpy(batch).to(self._gathered.device)]
        roi = region_of(self._normals)[batch] if with_roi else None
        return picked.to(self._device).transpose(0, 1).float(), self._kept(roi)

    def _kept(self, roi: Bool[np.ndarray, "b s s"] | None) -> Bool[Tensor, "b p 1"] | None:
        if roi is None:
            return None
        kept = untouched_patches(torch.from_numpy(roi), self.encoder.patch_px)
        return kept.unsqueeze(2).to(self._device)

    def _all_gathered(self) -> Float[Tensor, "n l t d"]:
        gathered = torch.stack(self.features.of_all(), dim=1)
        is_small = gathered.numel() * gathered.element_size() <= _MAX_CACHE_BYTES
        return gathered.to(self._device if is_small and self._may_keep_on_device else "cpu")
