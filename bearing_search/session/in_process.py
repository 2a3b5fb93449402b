"""One trial in this process, without Ray."""

import os
import time

from rich.console import Console

from bearing_search.config import TrialConfig
from bearing_search.errors import ConfigError
from bearing_search.measurement import Measurement, RunTrial, TrialContext
from bearing_search.session.progress import Estimate

_LINE_EVERY_S = 5.0


def chosen_device(device: str) -> str:
    """`cpu` or `cuda`; `auto` is a GPU if there is one.

    Raises:
        ConfigError: cuda is not available, or the name is unknown.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is {device!r}; wanted cpu, cuda or auto")
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ConfigError("device is 'cuda', but torch finds no GPU; use --device cpu")
    return "cuda" if has_gpu and device != "cpu" else "cpu"


def use_cores(count: int | None = None) -> None:
    """Let torch use all cores that this process may run on."""
    import torch

    torch.set_num_threads(count or len(os.sched_getaffinity(0)))


def follow(
    run: RunTrial, config: TrialConfig, context: TrialContext, console: Console
) -> Measurement:
    """Run a trial to its end, printing its progress; return its last measurement."""
    estimate, shown, last = Estimate(1.0), 0.0, None
    for last in run(config, context):
        estimate.update(last.progress)
        if time.monotonic() - shown > _LINE_EVERY_S:
            shown = time.monotonic()
            values = "  ".join(
                f"{name.rpartition('/')[2]} {value:.4f}" for name, value in last.values.items()
            )
            line = f"{last.progress:4.0%}  {last.stage:36} {values if len(values) < 90 else ''}"
            console.print(f"{line}  {estimate.text}")
    assert last is not None
    return last
