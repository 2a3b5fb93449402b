"""Runs a graph with ONNX Runtime on the CPU."""

import numpy as np
from jaxtyping import UInt8

from bearing_search.errors import BundleError
from bearing_search.runtime.backends.protocol import INPUT, Backend, NetworkSource, PatchDistances


def open_onnx(source: NetworkSource) -> Backend:
    """The network of a source, loaded by ONNX Runtime.

    Raises:
        BundleError: the file is no graph that it can run.
        ImportError: it is not installed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = source.threads
    options.log_severity_level = 3  # errors; its warnings are of its own optimiser
    file = source.folder / source.files.graph
    try:
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its classes have no common base of their own
        raise BundleError(f"{file}: ONNX Runtime cannot load it ({_first_line(error)})") from None

    def run(pixels: UInt8[np.ndarray, "n s s 3"]) -> PatchDistances:
        distances, *scores = session.run(None, {INPUT: pixels})
        return PatchDistances(distances=distances, own_scores=scores[0] if scores else None)

    return run


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
