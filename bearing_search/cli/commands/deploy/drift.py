"""`drift`: whether light, fixture, model or mix have changed since a detector was trained."""

import json as json_text
import sys
from pathlib import Path
from typing import Annotated

import typer

from bearing_search.cli.exit_status import DRIFT
from bearing_search.cli.options import AsJson
from bearing_search.errors import ConfigError
from bearing_search.text.printable import printable


def drift(
    detector: Annotated[Path, typer.Argument(help="Folder that `export` wrote.")],
    folder: Annotated[
        str,
        typer.Argument(
            help="Pictures of today, as `predict` takes them; or a file (.json, .jsonl) with what "
            "`predict --json` printed."
        ),
    ],
    part: Annotated[
        str, typer.Option(help="Part of pictures whose folder or manifest names none.")
    ] = "",
    confidence: Annotated[
        str,
        typer.Option(
            metavar="SHARE", help="How sure it must be, of all causes and parts together."
        ),
    ] = "95%",
    usual_ng: Annotated[
        str,
        typer.Option(
            metavar="SHARE", help="Share of NG that is usual on the line; without it, mix is shown."
        ),
    ] = "",
    png: Annotated[
        Path | None, typer.Option(help="File for a picture of the distributions.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Tell what has changed since training: light, fixture, model, or the mix of parts.

    Normal samples of training are in the detector. Each cause is the same, changed, or unknown,
    with an interval; the line says what to do, or how many pictures would tell.

    Exit status: 0 no drift is certain; 13 it is.
    """
    from bearing_search.cli.prediction_display import ProgressLines
    from bearing_search.drift_checks.pictures import Listener
    from bearing_search.drift_checks.report import drift as find
    from bearing_search.drift_checks.text_page import drift_page

    progress: list[ProgressLines] = []

    def advance(total: int) -> None:
        if not progress:
            progress.append(ProgressLines(total))
        progress[0].advance()

    report = find(
        detector,
        folder,
        part=part,
        confidence=_share("confidence", confidence),
        usual_ng=_share("usual-ng", usual_ng) if usual_ng else None,
        listener=Listener(tell=_tell, advance=advance),
    )
    for one in progress:
        one.close()
    print(
        json_text.dumps(report.as_json(), indent=2)
        if as_json
        else printable(drift_page(report), keep="\n")
    )
    if png is not None:
        from bearing_search.drift_checks.picture import drift_png
        from bearing_search.filesystem.atomic import write_atomically

        write_atomically(png, drift_png(report))
        _tell(f"picture: {png}")
    return DRIFT if report.has_changed else 0


def _share(flag: str, text: str) -> float:
    """`95%` and `.95` -> .95.

    Raises:
        ConfigError: it is no number.
    """
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise ConfigError(f"--{flag} {text}: wanted a share such as 95% or .95") from None
    return value / 100 if text.endswith("%") else value


def _tell(line: str) -> None:
    print(printable(line, keep=""), file=sys.stderr, flush=True)
