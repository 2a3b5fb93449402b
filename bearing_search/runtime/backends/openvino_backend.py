"""Runs a graph with OpenVINO on the CPU, always in the precision that the detector states."""

import numpy as np
from jaxtyping import UInt8

from bearing_search.errors import BundleError
from bearing_search.runtime.backends.protocol import Backend, NetworkSource, PatchDistances

_HINTS = {"fp32": "f32", "bf16": "bf16"}
"""Without a hint, the precision is that of the machine, and so would be the scores."""


def open_openvino(source: NetworkSource) -> Backend:
    """The network of a source, compiled by OpenVINO.

    Raises:
        BundleError: the file is no graph that it can run.
        ImportError: it is not installed.
    """
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": _HINTS[source.precision]}
    if source.threads:
        settings["INFERENCE_NUM_THREADS"] = str(source.threads)
    file = source.folder / source.files.graph
    try:
        compiled = openvino.Core().compile_model(str(file), "CPU", settings)
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BundleError(f"{file}: OpenVINO cannot load it ({reason})") from None

    def run(pixels: UInt8[np.ndarray, "n s s 3"]) -> PatchDistances:
        # a request of its own: `compiled(pixels)` shares one between threads
        found = compiled.create_infer_request().infer([pixels])
        distances, *scores = (np.array(found[index]) for index in range(len(compiled.outputs)))
        return PatchDistances(distances=distances, own_scores=scores[0] if scores else None)

    return run
