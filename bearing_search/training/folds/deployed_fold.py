"""The trained model of a final training, from the weights that it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from bearing_search.config import TrialConfig
from bearing_search.errors import SweepError
from bearing_search.models.inference.eager import EagerNetwork
from bearing_search.models.inference.network import make_network, stored_tensors
from bearing_search.training.backbone import load_backbone
from bearing_search.training.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFold:
    """A trained encoder and detector, ready for use."""

    network: EagerNetwork
    tensors: Mapping[str, Tensor]
    """Everything that was trained, by name, for a safetensors file."""

    weights_sha256: str
    """SHA-256 of the file that the encoder began with."""


def has_weights(folder: Path, config: TrialConfig) -> bool:
    """Whether a final training has kept its weights in a fold's folder."""
    names = ["detector", *(["finetune"] if config.finetune.epochs else [])]
    return (folder / "unit.json").is_file() and all((folder / f"{n}.pt").is_file() for n in names)


def load_deployed(folder: Path, config: TrialConfig) -> DeployedFold:
    """The model in the folder of a fold (`LC/all`) of a final training.

    Raises:
        SweepError: its weights are not there, or incomplete.
        ConfigError: the detector cannot be exported.
        WeightsError: the weights that the encoder began with are missing.
    """
    if not has_weights(folder, config):
        raise SweepError(f"{folder}: its weights are not there; remove the folder to train anew")
    encoder = load_backbone(config)
    if config.finetune.epochs:
        encoder.load_state_dict(_finished(folder, "finetune")["tuning"]["encoder"])
    detector = _flat(_finished(folder, "detector")["detector"])
    tensors = stored_tensors(encoder, detector)
    return DeployedFold(
        network=EagerNetwork(make_network(encoder, config, detector)),
        tensors=tensors,
        weights_sha256=encoder.weights_sha256,
    )


def _finished(folder: Path, stage: str) -> Mapping[str, Any]:
    checkpoint = Checkpoint(folder, stage)
    if not checkpoint.is_finished or checkpoint.state is None:
        raise SweepError(f"{folder / stage}.pt: is not finished; remove the folder to train anew")
    return checkpoint.state


def _flat(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a detector's state, which keeps them all under one name."""
    if len(state) == 1 and isinstance(inner := next(iter(state.values())), Mapping):
        return dict(inner)
    return dict(state)
