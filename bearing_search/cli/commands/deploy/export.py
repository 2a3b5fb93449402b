"""`export`: writes a setting of a sweep as a detector for use."""

from pathlib import Path
from typing import Annotated

import typer

import bearing_search
from bearing_search.cli.options import Device, Results, Trial


def export(
    sweep: Annotated[str, typer.Argument(help="Name of the sweep; `status` lists them.")],
    trial: Trial = None,
    out: Annotated[
        str,
        typer.Option(
            help="Folder to write. Default: named by trial and format, in the sweep's folder "
            "`export`."
        ),
    ] = "",
    form: Annotated[
        str,
        typer.Option("--format", help="onnx, openvino or torch: the program that will run it."),
    ] = "onnx",
    precision: Annotated[
        str, typer.Option(help="fp32; bf16 for openvino; int8 for onnx.")
    ] = "fp32",
    part: Annotated[str, typer.Option(help="The only part. Default: all parts.")] = "",
    device: Device = "auto",
    refit_changed_data: Annotated[
        bool,
        typer.Option(
            "--refit-changed-data",
            help="Train on the data as it is now, although it has changed since the search.",
        ),
    ] = False,
    results: Results = Path("results"),
) -> None:
    """Write a setting as a detector for use, once it decides as it was trained.

    Without a calibrated model of `evaluate` it is trained first, on train alone: test is not
    opened. In a fresh process, every training sample and adversarial ones are then judged by the
    exported detector. If a score is too far from torch's in fp32, or a verdict flips, nothing is
    written (status 10).
    """
    from bearing_search.runtime.backends.protocol import checked_format
    from bearing_search.session.terminal import terminal

    console, (runs_on, runs_in) = terminal(), checked_format(form, precision)
    found = bearing_search.open_sweep(sweep, results).export(
        trial,
        console=console,
        out=out,
        device=device,
        refit_changed_data=refit_changed_data,
        format=runs_on,
        precision=runs_in,
        part=part,
    )
    for name, facts in found.facts.parts.items():
        limits = facts.thresholds
        console.print(f"{name}: OK below {limits.ok:.6g}, NG from {limits.ng:.6g}: {limits.rule}")
    console.print(f"written to {found.folder}")
