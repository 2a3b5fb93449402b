"""The command line: parses, prints, and hands over. Its commands live in one file each."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from bearing_search.cli.commands.cache import cache
from bearing_search.cli.commands.check import check
from bearing_search.cli.commands.compare import compare
from bearing_search.cli.commands.demo_data import demo_data
from bearing_search.cli.commands.evaluate import evaluate
from bearing_search.cli.commands.reproduce import reproduce
from bearing_search.cli.commands.roi import roi
from bearing_search.cli.commands.run import resume, run
from bearing_search.cli.commands.status import status
from bearing_search.cli.commands.train import train
from bearing_search.cli.commands.ui import ui
from bearing_search.errors import BearingSearchError, DiskFullError
from bearing_search.filesystem.disk_full import disk_full_error, is_disk_full

INTERRUPTED = 130
"""Exit status after Ctrl-C or SIGTERM, as shells have it."""

app = typer.Typer(
    name="python -m bearing_search",
    help="Find the best settings for detecting tiny dents on roller-bearing inner rings.",
    epilog="Exit status: 0 done; 2 a command, space or config to mend; 3 data; 4 encoder weights; "
    "5 machine or installation; 6 sweep; 7 no trial could be scored; 8 a leak; 130 interrupted; "
    "1 a bug.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug keeps its plain traceback
    rich_markup_mode=None,
)
for command in (
    run,
    resume,
    status,
    check,
    train,
    compare,
    evaluate,
    reproduce,
    roi,
    demo_data,
    ui,
):
    app.command()(command)
app.add_typer(cache, name="cache")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        arguments = list(argv) if argv is not None else None
        result = app(args=arguments, prog_name=app.info.name, standalone_mode=False)
    except BearingSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except typer.TyperException as error:
        text = error.format_message()  # the help page, where no command was named
        print(text if text.startswith("Usage:") else f"error: {text}", file=sys.stderr)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # a full disk may speak through any library
        if not is_disk_full(error):
            raise  # a bug
        print(f"error: {disk_full_error(error, Path.cwd())}", file=sys.stderr)
        return DiskFullError.exit_status
    return result if isinstance(result, int) else 0
