"""Weights of a graph as 8-bit integers, activations quantised as they come. No torch."""

import logging
from pathlib import Path

from bearing_search.errors import ResourceError


def quantise(graph: Path) -> None:
    """Replace a graph by one with 8-bit weights.

    Raises:
        ResourceError: onnx or onnxruntime is not installed.
    """
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ResourceError(
            f"{error.name or 'onnxruntime'} is not installed, which int8 needs; "
            "pip install 'bearing_search[export,onnx]'"
        ) from None
    root, whole = logging.getLogger(), graph.with_suffix(".fp32.onnx")
    level = root.level
    graph.rename(whole)
    try:
        root.setLevel(logging.ERROR)  # it warns through the root logger about its own steps
        quantize_dynamic(whole, graph, weight_type=QuantType.QInt8)
    finally:
        root.setLevel(level)
        whole.unlink()
