"""Progress of a sweep: bars on a terminal, lines in a file."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from bearing_search.measurement import Measurement
from bearing_search.session.terminal import print_problem
from bearing_search.text.durations import format_duration
from bearing_search.trial_history.callbacks import SweepView, TrialEnded, TrialStarted
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, last_measurement
from bearing_search.trial_history.records import COUNTED, SweepOutcome
from bearing_search.trial_history.titles import seed_text, settings_text

_LINE_EVERY_S = 30.0


class Estimate:
    """Remaining time, estimated from the work done so far."""

    def __init__(self, total: float, done: float = 0.0) -> None:
        self._begun = time.monotonic()
        self._total, self._done_before, self._done = total, done, done

    def update(self, done: float) -> None:
        """Record how much of the total is done."""
        self._done = done

    @property
    def share(self) -> float:
        """Share of the total that is done, in [0, 1]."""
        return min(1.0, self._done / self._total)

    @property
    def text(self) -> str:
        """`about 3:20 left`; empty while too little is known."""
        fresh, elapsed = self._done - self._done_before, time.monotonic() - self._begun
        if fresh < 0.01 * self._total or elapsed < 5:
            return ""
        return f"about {format_duration((self._total - self._done) * elapsed / fresh)} left"


class SweepProgress:
    """Shows the progress of a sweep (a SweepCallback)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._overall = self._bars.add_task("", total=1.0, note="starting Ray")
        self._estimate = Estimate(1.0)  # until the amount of work is known
        self._target, self._objective, self._ranks = 0, "", False
        self._tasks: dict[int, TaskID] = {}
        self._progress: dict[int, float] = {}
        self._begun: dict[int, float] = {}
        self._seed_runs: set[int] = set()
        self._drawn: set[int] = set()
        self._best: tuple[float, int] | None = None
        self._last_line = time.monotonic()

    def on_sweep_start(self, sweep: SweepView) -> None:
        """Show the progress of earlier sessions."""
        self._target = sweep.target + sweep.num_seed_runs
        self._objective, self._ranks = sweep.objective, sweep.task == "search"
        for trial in sweep.trials:
            if trial.state == "failed":
                continue
            is_done = trial.state in ("complete", "pruned")
            last = last_measurement(sweep.trial_folder(trial.number) / MEASUREMENTS_FILE)
            self._progress[trial.number] = 1.0 if is_done else last.progress if last else 0.0
            if trial.value is not None and trial.counts and trial.judged.is_feasible:
                self._keep_best(trial.value, trial.number)
        self._estimate = Estimate(self._target, self._done())
        self._bars.update(self._overall, description=self._title())
        self._bars.start()

    def on_trial_start(self, trial: TrialStarted) -> None:
        """Add a bar."""
        number = trial.number
        self._begun[number] = time.monotonic()
        if trial.purpose not in COUNTED:
            self._seed_runs.add(number)
        settings = settings_text(trial.suggestion) + seed_text(trial.config.seed, trial.purpose)
        self._console.print(f"trial {number} begins: {settings}")
        self._tasks[number] = self._bars.add_task(f"  trial {number}", total=1.0, note="")

    def on_measurement(self, number: int, measurement: Measurement) -> None:
        """Move the bars, or print a line every 30 s."""
        self._progress[number] = max(self._progress.get(number, 0.0), measurement.progress)
        if any(name.startswith("drawn/") for name in measurement.tags):
            self._drawn.add(number)
        if number in self._tasks:
            self._bars.update(
                self._tasks[number], completed=self._progress[number], note=measurement.stage
            )
        self._refresh()
        is_time = time.monotonic() - self._last_line > _LINE_EVERY_S
        if not self._console.is_terminal and is_time:
            self._last_line = time.monotonic()
            running = ", ".join(f"trial {n} {self._progress.get(n, 0):.0%}" for n in self._tasks)
            self._console.print(
                f"{self._estimate.share:4.0%} of the sweep; {running}; {self._estimate.text}"
            )

    def on_trial_end(self, trial: TrialEnded) -> None:
        """Remove the bar and print how the trial ended."""
        number, value = trial.number, trial.value
        if number in self._tasks:
            self._bars.remove_task(self._tasks.pop(number))
        took = format_duration(time.monotonic() - self._begun.get(number, time.monotonic()))
        if trial.state in ("complete", "pruned"):
            self._progress[number] = 1.0
        elif trial.state == "failed":
            self._progress.pop(number, None)
        on = " on drawn defects" if number in self._drawn else ""
        score = f": {self._objective} {value:.4f}{on}" if value is not None else ""
        why = f": {trial.reason}" if trial.reason else ""
        line = f"trial {number} {trial.state}{score}{why} ({took})"
        if trial.state == "failed":
            print_problem(self._console, line)
        else:
            self._console.print(line)
        # with a reason, it misses a constraint or is a copy of another trial
        if value is not None and not trial.reason and number not in self._seed_runs:
            self._keep_best(value, number)
        self._refresh()

    def on_sweep_end(self, outcome: SweepOutcome) -> None:
        """Restore the terminal."""
        self._bars.stop()

    def _done(self) -> float:
        return sum(self._progress.values())

    def _refresh(self) -> None:
        self._estimate.update(self._done())
        self._bars.update(
            self._overall,
            completed=self._estimate.share,
            description=self._title(),
            note=self._estimate.text,
        )

    def _title(self) -> str:
        complete = sum(progress >= 1.0 for progress in self._progress.values())
        shown = self._best if self._ranks else None
        best = f", best {shown[0]:.4f} (trial {shown[1]})" if shown else ""
        return f"{complete} of {self._target} trials{best}"

    def _keep_best(self, value: float, number: int) -> None:
        if self._best is None or value > self._best[0]:
            self._best = (value, number)
