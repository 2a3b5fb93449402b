"""A stored network run by torch in fp32, on arrays.

Axis letters: b batch, s side of the input in pixels, k layers, h w rows and columns of the grid.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file

from bearing_search.config import TrialConfig
from bearing_search.models.inference.network import DetectorNetwork, network_from


class EagerNetwork:
    """Runs a network on arrays.

    Args:
        network: in fp32.
    """

    def __init__(self, network: DetectorNetwork) -> None:
        self.network = network

    def __call__(
        self, pixels: UInt8[np.ndarray, "b s s 3"]
    ) -> tuple[Float[np.ndarray, "b k h w"], Float[np.ndarray, " b"] | None]:
        """Patch distances of prepared images, and image scores if the detector has a rule."""
        with torch.inference_mode():
            distances, scores = self.network(torch.from_numpy(pixels))
        return distances.numpy(), None if scores is None else scores.numpy()


def load_eager(config: TrialConfig, weights: Path) -> EagerNetwork:
    """The network of a weights file.

    Raises:
        ConfigError: unknown encoder, or a detector that has no network.
        RuntimeError, SafetensorError: the file holds something else.
    """
    return EagerNetwork(network_from(config, load_file(weights)))


def use_threads(count: int) -> None:
    """Let torch use this many threads."""
    torch.set_num_threads(count)
