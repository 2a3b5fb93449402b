"""Overhead of the sweep engine per trial, measured with trials that take no time.

python benchmarks/scale.py DIR --trials 10000              # ledger, MLflow, progress; no Ray
python benchmarks/scale.py DIR --trials 100 --with-ray     # real workers
python benchmarks/scale.py DIR --trials 10000 --with-ray --reuse-workers

In DIR, which must be empty, a sweep is run in one process, stopped half way, and resumed in a
second one. Printed: seconds per trial over the course of the sweep, seconds to start and end a
session, and for `status`; the driver's memory; file sizes. With `--reuse-workers`, worker processes
are reused for the next trial, which `run` never does: this shows the driver's overhead from Ray
Tune, without the second that every new process takes.
"""

import argparse
import functools
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bearing_search.config import TrialConfig
from bearing_search.measurement import OBJECTIVE, Measurement, TrialContext

SPACE = """# What does the engine cost?
base: {}
vary:
  finetune.alternation_period: {int: [1, 10]}
  finetune.encoder_lr: {log: [1e-6, 1e-3]}
  finetune.ssim_layers: {subset: [9, 10, 11, 12], empty: [12]}
"""
BLOCK = 10
"""Number of blocks into which a sweep's trials are divided for timing."""


def run_trial(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """Yield two measurements without delay."""
    yield Measurement(step=1, values={"train/loss": config.finetune.encoder_lr}, progress=0.5)
    score = 1 / config.finetune.alternation_period - config.finetune.encoder_lr
    yield Measurement(step=2, values={OBJECTIVE: score}, progress=1.0)


def session(root: Path, target: int, sampler: str, run) -> dict[str, object]:
    """Run or resume the sweep until it has `target` trials; returns timings."""
    from rich.console import Console

    from bearing_search.session.progress import SweepProgress
    from bearing_search.sweep.folder.listing import list_sweeps
    from bearing_search.sweep.folder.sweep_folder import create_sweep, load_sweep
    from bearing_search.sweep.record.sweep_record import SweepRecord
    from bearing_search.tracking import MlflowTracker, default_tracking_uri

    if "scale" in list_sweeps(root):
        folder = load_sweep(root, "scale")
    else:
        record = SweepRecord(
            name="scale",
            space_text=SPACE,
            data=str(root),
            data_digest="none",
            target=target,
            sampler=sampler,
        )
        folder = create_sweep(root, record)
    clock = Clock()
    with Path(os.devnull).open("w") as nowhere:
        tracker = MlflowTracker(default_tracking_uri(root))
        observers = [SweepProgress(Console(file=nowhere)), tracker, clock]
        run(folder, target, observers)
    return clock.figures(target)


def with_workers(folder, target, observers, *, reuse: bool = False) -> None:
    """Run the sweep on Ray workers, as `run` does."""
    from ray import tune

    from bearing_search.sweep.engine import run_sweep
    from bearing_search.sweep.record.session_options import SessionOptions
    from bearing_search.sweep.worker.process import LazyTrial

    tune.TuneConfig = functools.partial(tune.TuneConfig, reuse_actors=reuse)
    run_sweep(folder, LazyTrial("scale", "run_trial"), SessionOptions(target=target), observers)


def without_workers(folder, target, observers) -> None:
    """Run the engine without Ray, one trial after the other in this process."""
    from bearing_search.sweep.driver.controller import SweepController, trial_payload
    from bearing_search.sweep.driver.session import StopRequest, begin_session
    from bearing_search.sweep.engine import open_ledger
    from bearing_search.sweep.locking.lock import acquire
    from bearing_search.sweep.record.session_options import SessionOptions
    from bearing_search.sweep.worker.context import WorkerContext
    from bearing_search.sweep.worker.process import run_payload

    with acquire(folder) as drivers:
        folder = folder.updated(SessionOptions(target=target))
        ledger = open_ledger(folder, drivers)
        controller = SweepController(folder, ledger, observers, StopRequest(folder, drivers))
        worker_context = WorkerContext(
            root=folder.root,
            session=begin_session(folder, drivers),
            data=folder.root,
            cache=folder.cache,
            threads=1,
            gpus=0.0,
            shares_stages=False,
        )
        controller.begin()
        while (scheduled := controller.next_trial()) is not None:
            number = scheduled.number
            run_payload(
                trial_payload(scheduled),
                worker_context,
                run_trial,
                partial(controller.on_report, number),
            )
            controller.on_trial_end(number)
        controller.finish()
        ledger.close()


class Clock:
    """A callback that records the times of events."""

    def __init__(self) -> None:
        self._made = time.monotonic()
        self._begun = self._over = 0.0
        self._ends: list[float] = []

    def on_sweep_start(self, sweep) -> None:
        """Record the start; all other callbacks have started."""
        self._begun = time.monotonic()

    def on_trial_start(self, *_: object) -> None:
        """Do nothing."""

    def on_measurement(self, *_: object) -> None:
        """Do nothing."""

    def on_trial_end(self, *_: object) -> None:
        """Record the end of a trial."""
        self._ends.append(time.monotonic())

    def on_sweep_end(self, outcome) -> None:
        """Record the end; all other callbacks have been notified."""
        self._over = time.monotonic()

    def figures(self, target: int) -> dict[str, object]:
        """Timings in seconds, trial counts and peak memory."""
        size = max(1, len(self._ends) // BLOCK)
        marks = [self._begun, *self._ends[size - 1 :: size]]
        return {
            "start": round(self._begun - self._made, 2),
            "per trial, block by block": [
                round((after - before) / size, 4) for before, after in itertools.pairwise(marks)
            ],
            "end": round(self._over - self._ends[-1], 2) if self._ends else None,
            "trials": len(self._ends),
            "of": target,
            "memory (MiB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def status(root: Path) -> dict[str, object]:
    """Time that `status` takes."""
    from bearing_search.sweep.folder.sweep_folder import load_sweep
    from bearing_search.sweep.status import sweep_status

    begun = time.monotonic()
    found = sweep_status(load_sweep(root, "scale"))
    took = time.monotonic() - begun
    return {"trials": len(found.trials), "finished": found.num_finished, "seconds": round(took, 2)}


def main() -> None:
    """Print the overhead of a sweep of instant trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--with-ray", action="store_true")
    parser.add_argument("--reuse-workers", action="store_true")
    parser.add_argument("--only", choices=["session", "status"], help="(internal)")
    args = parser.parse_args()
    root = args.root.resolve()
    if args.only == "session":
        with_ray = functools.partial(with_workers, reuse=args.reuse_workers)
        run = with_ray if args.with_ray else without_workers
        print(json.dumps(session(root, args.trials, args.sampler, run)))
        return
    if args.only == "status":
        print(json.dumps(status(root)))
        return
    root.mkdir(parents=True, exist_ok=True)
    ray = ["--with-ray"] * args.with_ray + ["--reuse-workers"] * args.reuse_workers
    for only, trials in (("session", args.trials // 2), ("session", args.trials), ("status", 0)):
        options = ["--trials", str(trials), "--sampler", args.sampler, "--only", only, *ray]
        command = [sys.executable, __file__, str(root), *options]
        print(only, subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    for file in (root / "scale" / "ledger.db", root / "mlflow.db"):
        print(f"{file.name}: {file.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
