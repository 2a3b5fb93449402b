"""`toy_sweep.py RESULTS DATA`: two tiny trials that also maximise the toy metric, and the report.

A process of its own: real Ray, whose workers are processes again.
"""

import sys
from pathlib import Path

import toy_metric
from rich.console import Console

from bearing_search.cli.commands.compare import board_of, write_board
from bearing_search.sweep.engine import run_sweep
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.worker.process import LazyTrial
from bearing_search.tracking import MlflowTracker, default_tracking_uri


def main(results: Path, data: Path) -> None:
    record = SweepRecord(
        name="toy",
        space_text=(results / "space.yaml").read_text(),
        data=str(data),
        data_digest="d1",
        target=2,
        resources=Resources(cpus_per_trial=1, concurrent=2),
    )
    folder = create_sweep(results, record)
    run_trial = LazyTrial(toy_metric.__name__, "run_trial")
    tracker = MlflowTracker(default_tracking_uri(results))
    outcome = run_sweep(folder, run_trial, callbacks=[tracker])
    assert outcome.count("complete") == 2, outcome
    console = Console(stderr=True)
    board = board_of([folder], console)
    assert board is not None
    write_board(folder.root, "toy", board, "", console)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
