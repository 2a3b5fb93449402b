"""Writes a network as an ONNX graph for any batch size. Axis letters: b batch, s side in pixels."""

import logging
import warnings
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from bearing_search.errors import ResourceError
from bearing_search.models.inference.network import DetectorNetwork

_EXAMPLES = 2
"""Images of the example. With 1, a graph for batches of 1 is written without a word."""


class _Outputs(nn.Module):
    """A network without the output that it does not have."""

    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: UInt8[Tensor, "b s s 3"]) -> tuple[Float[Tensor, "b ..."], ...]:
        distances, scores = self.network(pixels)
        return (distances,) if scores is None else (distances, scores)


def write_onnx(network: DetectorNetwork, file: Path, *, names: tuple[str, str, str]) -> int:
    """Write the graph to one file; returns its opset.

    Args:
        network: in fp32.
        file: to be written.
        names: of the input, of the distances, and of image scores if the detector has a rule.

    Raises:
        ResourceError: onnx or onnxscript is not installed.
    """
    side = network.input_px
    example = torch.zeros((_EXAMPLES, side, side, 3), dtype=torch.uint8)
    outputs = _Outputs(network).eval()
    with torch.no_grad():
        count = len(outputs(example))
    try:
        program = _exported(outputs, example, names[0], list(names[1 : 1 + count]))
    except ImportError as error:
        raise ResourceError(
            f"{error.name or 'onnxscript'} is not installed, which export needs; "
            "pip install 'bearing_search[export]'"
        ) from None
    program.save(str(file), external_data=False)
    return int(program.model.opset_imports[""])


def _exported(
    outputs: nn.Module, example: Tensor, name: str, names: list[str]
) -> torch.onnx.ONNXProgram:
    import onnxscript  # noqa: F401  # torch would ask for it in a traceback

    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        program = torch.onnx.export(
            outputs,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[name],
            output_names=names,
            verbose=False,
        )
    assert program is not None
    return program
