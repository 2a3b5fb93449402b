"""The command line: parses, calls the API, prints. Its commands live in one file each."""

import errno
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

import bearing_search
from bearing_search.cli.exit_status import INTERRUPTED
from bearing_search.cli.lazy_group import LazyCommand, lazy_group
from bearing_search.cli.output import Output
from bearing_search.errors import BearingSearchError, ConfigError, DiskFullError, ResourceError
from bearing_search.filesystem.disk_full import disk_full_error, is_disk_full
from bearing_search.filesystem.stored_file import is_access_error
from bearing_search.text.passwords import MaskingFormatter, masked, print_masked_traceback
from bearing_search.text.printable import printable

_COMMANDS = "bearing_search.cli.commands"

COMMANDS: Mapping[str, LazyCommand] = {
    "run": LazyCommand(
        f"{_COMMANDS}.run:run",
        "Search: train and score trials up to the target, then recommend a setting.",
    ),
    "resume": LazyCommand(
        f"{_COMMANDS}.run:resume",
        "Continue a sweep towards its target; --trials raises the target.",
    ),
    "status": LazyCommand(
        f"{_COMMANDS}.status:status",
        "Show the progress of a sweep, trial by trial, also while it runs.",
    ),
    "check": LazyCommand(
        f"{_COMMANDS}.check:check", "Check a search space, a data set, or both; start nothing."
    ),
    "train": LazyCommand(
        f"{_COMMANDS}.train:train",
        "Run one trial in this process, without Ray, and print its metrics.",
    ),
    "compare": LazyCommand(
        f"{_COMMANDS}.compare:compare",
        "Rank the settings of one sweep or several, with intervals, ties and a recommendation.",
    ),
    "evaluate": LazyCommand(
        f"{_COMMANDS}.evaluate:evaluate",
        "Train the recommended setting on train and score it on test, once.",
    ),
    "threshold": LazyCommand(
        f"{_COMMANDS}.deploy.threshold:threshold",
        "Set thresholds that keep a promise, from held-out samples; test stays sealed.",
    ),
    "export": LazyCommand(
        f"{_COMMANDS}.deploy.export:export",
        "Write a setting as a detector for use, once it decides as it was trained.",
    ),
    "bundle": LazyCommand(
        f"{_COMMANDS}.deploy.bundle:bundle", "Check a detector that was exported."
    ),
    "predict": LazyCommand(
        f"{_COMMANDS}.deploy.predict:predict", "Judge pictures with an exported detector."
    ),
    "drift": LazyCommand(
        f"{_COMMANDS}.deploy.drift:drift",
        "Tell what has changed since training: light, fixture, model, or the mix of parts.",
    ),
    "serve": LazyCommand(
        f"{_COMMANDS}.deploy.serve:serve",
        "Serve an exported detector over HTTP; Ctrl-C stops it.",
    ),
    "update": LazyCommand(
        f"{_COMMANDS}.deploy.update:update",
        "Fit thresholds and light range of an exported detector to new normal pictures.",
    ),
    "reproduce": LazyCommand(
        f"{_COMMANDS}.reproduce:reproduce",
        "Make Table 2 and figures 8 to 10 of the paper; the same command continues.",
    ),
    "roi": LazyCommand(
        f"{_COMMANDS}.roi:roi",
        "Find the region of interest of every image; write contact sheets, roi.csv, a summary.",
    ),
    "demo-data": LazyCommand(
        f"{_COMMANDS}.demo_data:demo_data",
        "Render a demo data set: rings and side views at three brightness levels, with dents.",
    ),
    "import": LazyCommand(
        f"{_COMMANDS}.import_data:import_data",
        "Import a data set with another layout: write its manifest, and masks from outlines.",
    ),
    "ui": LazyCommand(
        f"{_COMMANDS}.ui:ui", "Compare runs in MLflow's web pages; Ctrl-C stops the server."
    ),
    "cache": LazyCommand(
        f"{_COMMANDS}.cache:cache",
        "Manage the stages that trials share: list, verify, prune, limit.",
    ),
}
"""Every command by its name, in the order of the help page."""

app = typer.Typer(
    name="python -m bearing_search",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug keeps its plain traceback
    rich_markup_mode=None,
)


def _print_version(asked: bool | None) -> None:
    if asked:
        print(f"bearing_search {bearing_search.__version__}")
        raise typer.Exit


@app.callback(
    epilog="Exit status: 0 done; 2 invalid command, space or config; 3 data; 4 encoder weights; "
    "5 machine or installation; 6 sweep; 7 no trial could be scored; 8 a leak; "
    "9 a promise that the data cannot carry; 10 an exported detector that does not decide as "
    "trained; 11 an exported detector that is damaged or of another version; 12 `predict "
    "--fail-on-ng` found NG; 13 `drift` is certain of one; 130 interrupted; "
    "1 a bug.",
)
def _options(
    version: Annotated[
        bool | None,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = None,
) -> None:
    """Find the best settings for detecting tiny dents on roller-bearing inner rings."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    output = Output()
    if output.was_closed:
        return _refused(output.failure(), ResourceError.exit_status)
    status = _run(argv)
    if failure := output.failure():
        return _refused(failure, status or ResourceError.exit_status)
    return status


def _refused(why: str, status: int) -> int:
    """Print why in one line on stderr; returns the exit status."""
    print(f"error: {printable(why, keep='')}", file=sys.stderr)
    return status


def _run(argv: Sequence[str] | None) -> int:
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.excepthook = print_masked_traceback
    try:
        arguments = list(argv) if argv is not None else None
        result = app(args=arguments, prog_name=app.info.name, standalone_mode=False)
    except BearingSearchError as error:
        return _refused(str(error), error.exit_status)
    except typer.TyperException as error:
        text = error.format_message()  # the help page, if no command was named
        if not text.startswith("Usage:"):
            return _refused(masked(text), error.exit_code)
        print(text, file=sys.stderr)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # any library may raise what the user can mend
        if (explained := _explained(error)) is None:
            raise  # a bug
        return _refused(*explained)
    return result if isinstance(result, int) else 0


def _explained(error: Exception) -> tuple[str, int] | None:
    """Line and exit status of an error of the file system; None: it is none that we know."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"{_shortened(error.filename)}: {error.strerror}", ConfigError.exit_status
    if isinstance(error, OSError) and is_access_error(error):
        return f"{error.filename2 or error.filename}: {error.strerror}", ResourceError.exit_status
    if is_disk_full(error):
        return str(disk_full_error(error, Path.cwd())), DiskFullError.exit_status
    return None


def _shortened(name: object) -> str:
    text = str(name)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-17:]} ({len(text)} characters)"
