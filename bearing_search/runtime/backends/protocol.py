"""Interface of the programs that run a network, and the table of them.

Axis letters: n inputs, s side of the input in pixels, k layers, h w rows and columns of the grid.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from bearing_search.config import TrialConfig
from bearing_search.errors import ConfigError, ResourceError
from bearing_search.runtime.schema import PRECISIONS, Format, NetworkFiles, Precision

INPUT, DISTANCES, SCORES = "pixels", "distances", "scores"
"""Names of the input and of the outputs of a graph; the last only of detectors with a rule of their
own for image scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchDistances:
    """What a network says about a batch."""

    distances: Float[np.ndarray, "n k h w"]
    own_scores: Float[np.ndarray, " n"] | None


@runtime_checkable
class Backend(Protocol):
    """Runs one network."""

    def __call__(self, pixels: UInt8[np.ndarray, "n s s 3"]) -> PatchDistances:
        """Distances of prepared images; any number of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSource:
    """A network on disk, and how it is to be run."""

    folder: Path
    files: NetworkFiles
    config: TrialConfig
    precision: Precision
    threads: int
    """Threads that may compute; 0: as the program decides."""


OpenBackend = Callable[[NetworkSource], Backend]

BACKENDS: Mapping[Format, str] = {
    "torch": "bearing_search.runtime.backends.torch_backend:open_torch",
    "onnx": "bearing_search.runtime.backends.onnx_backend:open_onnx",
    "openvino": "bearing_search.runtime.backends.openvino_backend:open_openvino",
}
"""Format -> `module:function` that opens a network of it."""

_EXTRAS: Mapping[Format, str] = {"onnx": "onnx", "openvino": "openvino", "torch": "torch"}


def checked_format(form: str, precision: str) -> tuple[Format, Precision]:
    """A format and a precision that it runs in.

    Raises:
        ConfigError: it is not, or does not.
    """
    known = {str(name): tuple(each) for name, each in PRECISIONS.items()}
    if form not in known:
        raise ConfigError(f"format is {form!r}; wanted {', '.join(known)}")
    if precision not in known[form]:
        raise ConfigError(
            f"precision is {precision!r}; format {form} runs in {' or '.join(known[form])}"
        )
    return cast("tuple[Format, Precision]", (form, precision))


def open_backend(form: Format, source: NetworkSource) -> Backend:
    """A network of a detector, ready to run.

    Args:
        form: the detector's own format, or torch, which every detector has the weights for.
        source: the network.

    Raises:
        BundleError: its file cannot be used.
        ConfigError: the format does not run in its precision.
        ResourceError: the program that runs it is not installed.
    """
    checked_format(form, source.precision)
    module, _, name = BACKENDS[form].partition(":")
    opened = cast("OpenBackend", getattr(import_module(module), name))
    try:
        return opened(source)
    except ImportError as error:
        raise ResourceError(
            f"{error.name or form} is not installed, which runs detectors of the format {form}; "
            f"pip install 'bearing_search[{_EXTRAS[form]}]'"
        ) from None
