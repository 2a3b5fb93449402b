"""Refuses data with leaks before anything is trained or scored."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data_checks.contact_sheet import write_sheet
from bearing_search.data_checks.findings import Finding, LeakReport
from bearing_search.data_checks.leaks import find_leaks
from bearing_search.errors import LeakError
from bearing_search.session.preflight import file_findings
from bearing_search.session.progress import Estimate
from bearing_search.session.terminal import print_problem
from bearing_search.sweep.record.allowed_leak import AllowedLeak

_LINE_EVERY_S = 10.0
_SHOWN = 5


def refuse_leaks(
    data_set: DataSet,
    configs: Sequence[TrialConfig],
    root: Path,
    console: Console,
    *,
    reason: str = "",
    known: AllowedLeak | None = None,
) -> AllowedLeak | None:
    """Look for leaks in the data of trials; print warnings, refuse leaks that are not allowed.

    Args:
        configs: of the trials; they set which parts are used, and whether one model learns from
            all of them, so that parts can leak into each other.
        root: the results folder, for the cache and the contact sheet.
        reason: why a leak is accepted; empty: it is not.
        known: leaks accepted earlier for this sweep.

    Returns:
        The accepted leaks, for the reports; None if there is no leak.

    Raises:
        LeakError: naming the first leak, their number, and the contact sheet.
        DataError: a file cannot be read.
    """
    report = look_for_leaks(data_set, configs, root, console)
    for line in [*file_lines(data_set, configs), *warning_lines(report)]:
        print_problem(console, line)
    found = tuple(leak.text for leak in report.leaks)
    if not found:
        return None
    if known is not None and set(found) <= set(known.leaks):
        return known
    picture = draw(report, root)
    if not reason:
        more = f" ({len(found)} leaks)" if len(found) > 1 else ""
        shown = f" See {picture}." if picture else ""
        raise LeakError(
            f"{found[0]}{more}.{shown} {report.leaks[0].advice}, or accept it with "
            "--allow-leak REASON."
        )
    allowed = AllowedLeak(reason=reason, leaks=found)
    print_problem(console, f"{allowed.sentence}{f' See {picture}.' if picture else ''}")
    return allowed


def look_for_leaks(
    data_set: DataSet, configs: Sequence[TrialConfig], root: Path, console: Console
) -> LeakReport:
    """Look for leaks in the data of trials, showing progress."""
    chosen = {part for config in configs for part in data_set.chosen_parts(config.parts)}
    together = any(config.scope == "multi_part" for config in configs)
    samples = [sample for sample in data_set.all_samples if sample.part in chosen]
    with share_bar("looking for leaks", console) as on_progress:
        return find_leaks(samples, root / "cache", together=together, on_progress=on_progress)


def draw(report: LeakReport, root: Path) -> Path | None:
    """Write the contact sheet of all pairs, leaks first; None if there are none."""
    file = root / "check" / f"leaks-{report.digest[:8]}.png"
    ordered = sorted(report.findings, key=lambda found: found.severity != "leak")
    return file if write_sheet(ordered, file) else None


def file_lines(data_set: DataSet, configs: Sequence[TrialConfig]) -> list[str]:
    """The reader's remarks on the files, such as which are left out; the first few."""
    parts = [part for config in configs for part in data_set.chosen_parts(config.parts)]
    return _few(file_findings(data_set, parts))


def warning_lines(report: LeakReport) -> list[str]:
    """Findings that are not refused, one line each; the first few."""
    return _few(report.findings)


def _few(findings: Sequence[Finding]) -> list[str]:
    warnings = [found for found in findings if found.severity == "warning"]
    lines = [f"warning: {sentence(found)}" for found in warnings[:_SHOWN]]
    if len(warnings) > _SHOWN:
        lines.append(f"warning: {len(warnings) - _SHOWN} more; `check` shows them")
    return lines


def sentence(found: Finding) -> str:
    """A finding and the advice on it, as sentences."""
    text = found.text.removesuffix(".")  # an ellipsis keeps two dots; the full stop is the third
    return f"{text}. {found.advice}." if found.advice else f"{text}."


@contextmanager
def share_bar(what: str, console: Console) -> Iterator[Callable[[float], None]]:
    """Show progress: a bar on a terminal, elsewhere a line every 10 s."""
    estimate, last = Estimate(1.0), time.monotonic()
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )

    def tell(share: float) -> None:
        nonlocal last
        bars.update(task, completed=share)
        estimate.update(share)
        if not console.is_terminal and time.monotonic() - last > _LINE_EVERY_S:
            last = time.monotonic()
            console.print(f"{what}: {share:.0%}; {estimate.text}")

    with bars:
        task = bars.add_task(what, total=1.0)
        yield tell
