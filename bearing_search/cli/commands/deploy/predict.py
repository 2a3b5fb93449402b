"""`predict`: judges pictures with an exported detector."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearing_search.cli.exit_status import SOME_NG
from bearing_search.cli.options import AsJson
from bearing_search.errors import ConfigError, DataError
from bearing_search.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bearing_search.cli.prediction_display import Form
    from bearing_search.prediction.judging import Prediction
    from bearing_search.prediction.repeatability import Repeatability
    from bearing_search.prediction.results import SampleResult
    from bearing_search.prediction.summary import Summary


def predict(
    detector: Annotated[Path, typer.Argument(help="Folder that `export` wrote.")],
    images: Annotated[
        list[str],
        typer.Argument(
            help="Folders, patterns, manifests (.csv) or image files. Levels of a sample are "
            "paired by name: x_b0.png, x_b1.png, ..."
        ),
    ],
    part: Annotated[
        str,
        typer.Option(
            help="Part of pictures whose folder or manifest names none; those of other parts are "
            "left out. Default: the detector's only part."
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="New folder for an overlay of each sample.")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    only: Annotated[
        str,
        typer.Option(
            metavar="ng|not-ok",
            help="Rows and overlays of NG samples only, or of all that are not OK.",
        ),
    ] = "",
    repeat: Annotated[
        int,
        typer.Option(
            help="Every N samples in a row, by name, are photographs of one part: also print how "
            "far its score moves, and whether its verdict changes.",
            min=0,
            metavar="N",
        ),
    ] = 0,
    threads: Annotated[
        int, typer.Option(help="Threads of the network. 0: as the runtime decides.", min=0)
    ] = 0,
    fail_on_ng: Annotated[
        bool, typer.Option("--fail-on-ng", help="Exit status 12 if any sample is NG.")
    ] = False,
) -> int:
    """Judge pictures with an exported detector.

    One row for each sample, as it comes: verdict, score, threshold of NG, margin, time, largest
    anomalous region in pixels of the original. With --json it is a line of JSON. Samples that
    cannot be judged (no ROI, unreadable, wrong levels, wrong light) are never OK: stderr says why,
    and the others go on.

    Exit status: 0 all were judged; 3 some were not; 12 with --fail-on-ng, at least one is NG.
    """
    form = _form(as_json=as_json, as_csv=as_csv)
    from bearing_search.prediction.judging import predict as start
    from bearing_search.prediction.repeatability import Repeatability
    from bearing_search.prediction.summary import Summary

    running = start(detector, images, part=part, out=out, only=only, threads=threads)
    repeated = Repeatability.of(len(running), repeat)
    for line in (*running.inputs.remarks, *running.inputs.problems):
        _tell(line)
    summary = Summary()
    try:
        for result in _shown(running, form):
            summary.add(result)
            repeated.add(result)
    finally:
        _finish(running, summary, repeated)
    if fail_on_ng and summary.words["NG"]:
        return SOME_NG
    is_incomplete = summary.num_not_judged or running.inputs.problems
    return DataError.exit_status if is_incomplete else 0


def _form(*, as_json: bool, as_csv: bool) -> "Form":
    if as_json and as_csv:
        raise ConfigError("--json and --csv: name one of them")
    return "json" if as_json else "csv" if as_csv else "table"


def _shown(running: "Prediction", form: "Form") -> "Iterator[SampleResult]":
    """Every result, once its row is printed; problems and progress on stderr."""
    from bearing_search.cli.prediction_display import ProgressLines, Rows
    from bearing_search.prediction.judging import is_shown
    from bearing_search.session.terminal import terminal

    names = [one.sample.title for one in running.inputs.samples]
    rows = Rows(form, terminal(), names, parts=len(running.detector.parts) > 1)
    progress = ProgressLines(len(running))
    try:
        for result in running:
            if is_shown(result, running.only):
                rows.print(result)
            if not result.is_judged:
                progress.close()
                _tell(f"{result.word}: {result.reason}")
            progress.advance()
            yield result
    finally:
        progress.close()


def _finish(running: "Prediction", summary: "Summary", repeated: "Repeatability") -> None:
    """What the samples came to so far, on stderr: stdout holds rows only."""
    for line in (*repeated.lines(), *summary.lines()):
        _tell(line)
    if running.load_s:
        _tell(f"loading the network: {running.load_s:.2f} s, in no sample's time")
    if running.overlays is not None:
        _tell(f"overlays: {running.overlays.folder}")


def _tell(line: str) -> None:
    print(printable(line, keep=""), file=sys.stderr, flush=True)
