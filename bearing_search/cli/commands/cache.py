"""`cache`: size, savings and integrity of the shared stages, and how to delete some."""

import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bearing_search.cli.options import AsJson, Results
from bearing_search.cli.output import say_json
from bearing_search.errors import ConfigError, ResourceError
from bearing_search.session.terminal import terminal
from bearing_search.stage_cache.entry import integrity_error
from bearing_search.stage_cache.eviction import (
    EntryInfo,
    entries_to_evict,
    evict,
    list_entries,
    locked,
    quarantine,
    tree_bytes,
)
from bearing_search.stage_cache.limit import max_bytes_of, set_max_bytes
from bearing_search.sweep.folder.listing import find_sweep
from bearing_search.text.durations import format_duration

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}

cache = typer.Typer(
    help="Manage the stages that trials share: list, verify, prune, limit.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def parse_size(text: str) -> int:
    """Number of bytes in `20GB`, `1.5 TB`, `500MB` or a plain number; units are powers of 1000.

    Raises:
        ConfigError: it is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", text.strip().upper())
    if found is None:
        raise ConfigError(f"{text!r} is not a size; wanted a form like 20GB or 500MB")
    unit = found[2].removesuffix("B")
    return round(float(found[1]) * _UNITS[unit and f"{unit}B"])


@cache.command()
def ls(results: Results = Path("results"), json: AsJson = False) -> None:
    """List the stages that trials share: size, age, number of users, time saved."""
    root = _stages(results)
    entries = list_entries(root) if root.is_dir() else []
    if json:
        plain = [asdict(o) | {"saved_s": o.saved_s} for o in entries]
        say_json(plain)
        return
    console = terminal()
    if entries:
        console.print(_table(entries))
    console.print(_summary(root, entries))


@cache.command()
def verify(results: Results = Path("results")) -> None:
    """Verify every finished stage; damaged ones go to quarantine, with exit status 5."""
    console, root = terminal(), _stages(results)
    finished = [o for o in list_entries(root) if o.state != "in work"] if root.is_dir() else []
    num_damaged = num_sound = 0
    for entry_info in finished:
        reason = (
            ""
            if entry_info.state == "stopped"
            else integrity_error(entry_info.home, with_digests=True)
        )
        if reason:
            num_damaged += 1
            console.print(f"{entry_info.name}: {reason}; {_moved(root, entry_info)}")
        num_sound += entry_info.state == "done" and not reason
    if num_damaged:
        raise ResourceError(
            f"{num_damaged} of {num_damaged + num_sound} stages in {root} are damaged. "
            "They will be recomputed when a trial needs them. Check the disk."
        )
    console.print(f"{num_sound} finished stages are intact")


@cache.command()
def prune(
    max_size: Annotated[
        int | None,
        typer.Option(
            parser=parse_size, metavar="SIZE", help="Delete until the cache takes at most this."
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="SWEEP", help="Delete what this sweep never used; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print what would be deleted; delete nothing.")
    ] = False,
    results: Results = Path("results"),
) -> None:
    """Delete shared stages, least recently used first; never those that a running trial needs."""
    if max_size is None and not keep:
        raise ConfigError(
            "cache prune: wanted a size to keep (--max-size 5GB) or a sweep to keep (--keep)"
        )
    kept = {find_sweep(results, sweep).name for sweep in keep or ()}  # refuses a typo
    console, root = terminal(), _stages(results)
    if not root.is_dir():
        console.print(_summary(root, []))
        return

    def is_kept(entry_info: EntryInfo) -> bool:
        return any(user.partition("/")[0] in kept for user in entry_info.users)

    entries = list_entries(root)
    if dry_run:
        excess = sum(o.bytes for o in entries) - (max_size or 0)
        gone = entries_to_evict(entries, excess=excess, keep=is_kept)
    else:
        gone = evict(root, max_bytes=max_size or 0, keep=is_kept)
    if gone:
        console.print(_table(gone))
    verb = "would free" if dry_run else "freed"
    console.print(f"{verb} {size_text(sum(o.bytes for o in gone))} in {len(gone)} stages")
    if not dry_run:
        console.print(_summary(root, list_entries(root)))


@cache.command()
def limit(
    size: Annotated[
        str, typer.Argument(help="Such as 50GB, or `default`: 20 GB or a quarter of the free disk.")
    ],
    results: Results = Path("results"),
) -> None:
    """Set the size limit of the shared stages in this results folder."""
    root = _stages(results)
    root.mkdir(parents=True, exist_ok=True)
    set_max_bytes(root, None if size == "default" else parse_size(size))
    terminal().print(f"{root}: at most {size_text(max_bytes_of(root))}")


def size_text(num_bytes: int) -> str:
    """A number of bytes as `1.2 GB`."""
    size = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if size >= 9.95 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _stages(results: Path) -> Path:
    return results / "cache" / "stages"


def _moved(root: Path, entry_info: EntryInfo) -> str:
    """Move a damaged entry to quarantine, unless a process may be reading it."""
    if entry_info.is_pinned:
        return (
            "left in place because a running trial uses it; verify again when that trial has ended"
        )
    with locked(root):
        return f"moved to {quarantine(root, entry_info.home)}"


def _table(entries: list[EntryInfo]) -> Table:
    table = Table(
        "stage", "digest", "of", "state", "size", "used", "trials", "took", "saved", box=None
    )
    for column in table.columns[4:]:
        column.justify = "right"
    for o in sorted(entries, key=lambda o: -o.last_used):
        stage, _, digest = o.name.partition("/")
        table.add_row(
            stage,
            digest[:8],
            o.title,
            f"{o.state}, pinned" if o.is_pinned and o.state == "done" else o.state,
            size_text(o.bytes),
            f"{format_duration(time.time() - o.last_used, rounded=True)} ago",
            str(len(o.users)),
            format_duration(o.computed_s) if o.computed_s else "",
            format_duration(o.saved_s) if o.saved_s else "",
        )
    return table


def _summary(root: Path, entries: list[EntryInfo]) -> str:
    if not root.is_dir():
        return f"{root}: no shared stages yet"
    stages = sum(o.bytes for o in entries)
    rest = tree_bytes(root.parent) - tree_bytes(root)
    return (
        f"{len(entries)} stages, {size_text(stages)} of at most {size_text(max_bytes_of(root))}; "
        f"saved {format_duration(sum(o.saved_s for o in entries))} so far. "
        f"Prepared images in addition: {size_text(rest)}"
    )
