"""Runs the weights with torch in fp32, which every other format is compared with."""

import numpy as np
from jaxtyping import UInt8

from bearing_search.errors import BundleError, ConfigError
from bearing_search.runtime.backends.protocol import Backend, NetworkSource, PatchDistances


def open_torch(source: NetworkSource) -> Backend:
    """The network of a source, built by its config and loaded by torch.

    Raises:
        BundleError: the file holds other weights.
        ImportError: torch is not installed.
    """
    from bearing_search.models.inference.eager import load_eager, use_threads

    if source.threads:
        use_threads(source.threads)
    file = source.folder / source.files.weights
    try:
        network = load_eager(source.config, file)
    except (ConfigError, KeyError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BundleError(f"{file}: cannot be loaded ({reason})") from None

    def run(pixels: UInt8[np.ndarray, "n s s 3"]) -> PatchDistances:
        distances, own_scores = network(pixels)
        return PatchDistances(distances=distances, own_scores=own_scores)

    return run
