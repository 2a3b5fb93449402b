"""Console output."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from bearing_search.text.printable import printable


class _Console(Console):
    """Shows control characters of names as escapes; rich would send them to the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as rich shows it."""
        return super().render_str(printable(text), **options)


def terminal(*, stderr: bool = False) -> Console:
    """A console for a command's output: no markup, no highlighting, no wrapped lines."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160  # files and pipes have no width
    return _Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, width=width)


def print_problem(console: Console, text: str) -> None:
    """Print a warning or a failure: to stderr, unless the caller has given a console of its own."""
    own = terminal(stderr=True) if isinstance(console, _Console) else console
    own.print(text)


@contextmanager
def bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for work that takes a while the first time."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
