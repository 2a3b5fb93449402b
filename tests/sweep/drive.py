"""One driver process: `drive.py RESULTS NAME TRIALS [--option value]...`; prints the outcome.

Where DRIVE_AIM names a file and that says `draw` or `log`, the driver kills itself when it gets
there, and removes the file: `draw`: between two parameters of a suggestion that the sampler draws;
`log`: when the ledger knows a trial's end and MLflow does not.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

import fakes

from bearing_search.errors import BearingSearchError
from bearing_search.sweep.driver import stall_monitor
from bearing_search.sweep.folder.listing import list_sweeps
from bearing_search.sweep.folder.sweep_folder import (
    SweepFolder,
    create_sweep,
    load_sweep,
)
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord
from bearing_search.trial_history.best import best_of


def open_sweep(args: argparse.Namespace) -> SweepFolder:
    if args.name in list_sweeps(args.results):
        return load_sweep(args.results, args.name)
    record = SweepRecord(
        name=args.name,
        space_text=fakes.SPACE,
        data=args.data or str(args.results),
        data_digest="fake",
        target=args.trials,
        pruner=args.pruner,
        storage=args.storage,
        seeds=SeedPlan(audit=args.audit, finalists=args.finalists, each=2),
        resources=Resources(
            gpus_per_trial=args.gpus,
            cpus_per_trial=args.cpus,
            concurrent=args.concurrent,
            address=args.address,
            depot=args.depot,
        ),
    )
    return create_sweep(args.results, record)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("name")
    parser.add_argument("trials", type=int)
    parser.add_argument("--pruner", default="none")
    parser.add_argument("--audit", type=int, default=0)
    parser.add_argument("--finalists", type=int, default=0)
    parser.add_argument("--storage", default="")
    parser.add_argument("--gpus", type=float)
    parser.add_argument("--cpus", type=int)
    parser.add_argument("--concurrent", type=int)
    parser.add_argument("--address")
    parser.add_argument("--data", default="")
    parser.add_argument("--depot")
    parser.add_argument("--logical-gpus", type=int)
    parser.add_argument("--time-budget", type=float)
    parser.add_argument("--gpu-budget", type=float)
    parser.add_argument("--max-failures", type=int)
    parser.add_argument("--trial-timeout", type=float)
    parser.add_argument("--retry-failed", action="store_true")
    parser.add_argument("--chapter", type=int)
    parser.add_argument("--mlflow", default="")
    parser.add_argument("--join", action="store_true")
    args = parser.parse_args()
    try:
        return drive(args)
    except BearingSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status


def die_where_aimed(aim: Path) -> None:
    from bearing_search.sweep.planning import ledger as module
    from bearing_search.sweep.study import param_encoding

    draw, tell = param_encoding.suggest, module.Ledger.complete

    def suggest(space, trial):
        is_new = not {"suggestion", "appointed"} & set(trial.user_attrs)
        return draw(space, Drawing(trial, aim) if is_new else trial)

    def complete(self, *arguments, **options):
        missed = tell(self, *arguments, **options)
        die_here(aim, "log")
        return missed

    vars(module)["suggest"] = suggest
    module.Ledger.complete = complete  # type: ignore[method-assign]


class Drawing:
    """Draws along the first parameter, and no further where that is what is aimed at."""

    def __init__(self, trial, aim: Path) -> None:
        self._trial = trial
        self._aim = aim
        self._drawn = 0

    def __getattr__(self, name: str):
        if name.startswith("suggest_"):
            if self._drawn:
                die_here(self._aim, "draw")
            self._drawn += 1
        return getattr(self._trial, name)


def die_here(aim: Path, here: str) -> None:
    if aim.exists() and aim.read_text() == here:
        aim.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def drive(args: argparse.Namespace) -> int:
    from bearing_search.sweep.engine import run_sweep
    from bearing_search.sweep.execution import tuner

    if args.chapter:
        tuner.TRIALS_PER_TUNER = args.chapter
    if aim := os.environ.get("DRIVE_AIM"):
        die_where_aimed(Path(aim))
    if grace := os.environ.get("FAKE_GRACE_S"):
        stall_monitor.GRACE_S = float(grace)
    folder = open_sweep(args)
    observers = []
    if args.mlflow:
        from bearing_search.tracking import MlflowTracker, default_tracking_uri

        local = default_tracking_uri(args.results)
        observers.append(MlflowTracker(local if args.mlflow == "local" else args.mlflow))
    if args.logical_gpus:
        import ray

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            num_gpus=args.logical_gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    outcome = run_sweep(
        folder,
        fakes.run_trial,
        SessionOptions(
            target=args.trials,
            join=args.join,
            time_budget_s=args.time_budget,
            gpu_budget_s=args.gpu_budget,
            max_failures=args.max_failures,
            trial_timeout_s=args.trial_timeout,
            retries_failed=args.retry_failed,
        ),
        observers,
    )
    best = best_of(outcome.trials)
    counts = {state: outcome.count(state) for state in ("complete", "failed", "pruned", "running")}
    print(
        json.dumps(
            {
                **counts,
                "best": best.value if best else None,
                "reasons": {trial.number: trial.reason for trial in outcome.trials},
                "stopped_by": outcome.stopped_by,
                "torch": "torch" in sys.modules,
            }
        )
    )
    return 130 if outcome.interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
