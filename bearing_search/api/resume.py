"""Resumes an existing sweep."""

from collections.abc import Sequence
from typing import Unpack, cast

from rich.console import Console

from bearing_search.api.sweep import Sweep
from bearing_search.data.dataset import load_data_set
from bearing_search.search_space.shipped import find_space
from bearing_search.search_space.yaml_file import load_search_space
from bearing_search.session.flags import SessionFlags, accepted_changes, session_options
from bearing_search.session.inputs import digest_for, writable_results
from bearing_search.session.preflight import check_models
from bearing_search.session.sweep_session import drive
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.changes import with_code, with_space


class ResumeOptions(SessionFlags, total=False):
    """Options of `Sweep.resume`; each is a flag of `resume` as well."""

    space: str | None
    """The space in its current form, to be compared with the sweep's."""

    accept_change: Sequence[str]
    """`space`, `code`: resume although this has changed; every report repeats it."""

    console: Console | None
    """Where progress is printed. Default: stdout; `Console(quiet=True)` prints nothing."""


def resume(sweep: Sweep, **options: Unpack[ResumeOptions]) -> Sweep:
    """Resume a sweep towards its target; return it with the outcome of this session.

    Raises:
        SweepError: another process drives it, or its data, space or code changed.
        ConfigError: an option is invalid.
        TrialFailedError: it ended without a score.
    """
    console = options.get("console") or terminal()
    folder = sweep.folder
    writable_results(folder.root.parent)
    asked = session_options(folder.record, **_session_flags(options))
    data_set = load_data_set(folder.data)
    folder.refuse_changes(data_digest=digest_for(folder.record.task, data_set))
    accepted = accepted_changes(options.get("accept_change", ()))
    folder = with_code(folder, accepted=accepted)
    if (space := options.get("space")) is not None:
        edited = load_search_space(find_space(space))
        folder = with_space(folder, edited, space, accepted=accepted)
    base = folder.space().trial(folder.space().default_suggestion())
    with console.status("loading the encoder's weights"):
        check_models([base], cache=folder.cache)
    return Sweep(folder, drive(folder, asked, console))


def _session_flags(options: ResumeOptions) -> SessionFlags:
    """The options that are flags of any session."""
    names = SessionFlags.__annotations__
    return cast(SessionFlags, {name: value for name, value in options.items() if name in names})
