"""`threshold`: thresholds that keep a promise, from held-out samples."""

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

import bearing_search
from bearing_search.cli.options import AsJson, Results, Trial
from bearing_search.errors import ConfigError


def threshold(
    sweep: Annotated[str, typer.Argument(help="Name of the sweep; `status` lists them.")],
    trial: Trial = None,
    part: Annotated[str | None, typer.Option(help="One part. Default: all.")] = None,
    max_miss: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Promise: at most this share of defects missed, as 1%."),
    ] = None,
    max_overkill: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Promise: at most this share of normals judged NG."),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            metavar="COSTS",
            help="Lowest cost: miss=100,overkill=1; defects=1% for the share in production.",
        ),
    ] = None,
    confidence: Annotated[
        str, typer.Option(metavar="SHARE", help="Confidence of each bound.")
    ] = "95%",
    reinspect: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Share of normals that people can inspect again: a band between OK and NG.",
        ),
    ] = None,
    views: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="How the views of a group make its verdict: each, any, mean, 2-of-3.",
        ),
    ] = "each",
    p_values: Annotated[
        bool, typer.Option("--p-values", help="Show conformal p-values for overkill.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of page and pictures. Default: threshold/ in the sweep's folder."
        ),
    ] = None,
    results: Results = Path("results"),
    json: AsJson = False,
) -> None:
    """Set thresholds that keep a promise, from held-out samples; test stays sealed.

    Exit status 9: the samples cannot prove the promise; the line says what they could.
    """
    from bearing_search.session.terminal import terminal

    console = terminal(stderr=json)
    found = bearing_search.open_sweep(sweep, results).threshold(
        trial,
        console=console,
        part=part,
        max_miss=_share("max-miss", max_miss),
        max_overkill=_share("max-overkill", max_overkill),
        cost=None if cost is None else _costs(cost),
        confidence=_share("confidence", confidence) or 0.0,
        reinspect=_share("reinspect", reinspect) or 0.0,
        views=views,
        p_values=p_values,
        out=out,
    )
    print(json_text.dumps(found.content, indent=2) if json else found.page)
    if not json:
        console.print(f"written to {found.file} and {found.folder}")


def _share(flag: str, text: str | None) -> float | None:
    """`1%` and `.01` -> .01.

    Raises:
        ConfigError: it is no number.
    """
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise ConfigError(f"--{flag} {text}: wanted a share such as 1% or .01") from None
    return value / 100 if text.endswith("%") else value


def _costs(text: str) -> dict[str, float]:
    """`miss=100,overkill=1` -> its numbers.

    Raises:
        ConfigError: a pair is malformed, or named twice.
    """
    found: dict[str, float] = {}
    for pair in text.split(","):
        name, sign, value = (piece.strip() for piece in pair.partition("="))
        number = _share("cost", value) if sign and value else None
        if number is None or name in found:
            raise ConfigError(f"--cost {text}: wanted miss=100,overkill=1 (each once)")
        found[name] = number
    return found
