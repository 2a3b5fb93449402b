"""All that this package uses of Ray beyond its public API; each seen in Ray 2.60.0.

`tests/sweep/execution/test_vendor.py` says when another version differs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray._private import worker as ray_worker


def redirect_remarks(log: Callable[[str], None]) -> None:
    """Pass on each line that Ray would print of its processes, such as a worker's death.

    Private: `ray._private.worker.print_to_stdstream(data, ignore_prefix)`, which Ray looks up in
    its module whenever it has something to print, whatever `log_to_driver` says.
    """

    def print_to_stdstream(data: Mapping[str, Any], ignore_prefix: bool) -> None:
        for line in data.get("lines", []):
            log(line)

    ray_worker.print_to_stdstream = print_to_stdstream


def in_folder(folder: Path) -> dict[str, Any]:
    """Options of `ray.init` that put Ray's own files below a folder.

    Private: `_temp_dir`; the public way is a variable of the environment, which outlives the sweep.
    """
    return {"_temp_dir": str(folder)}


def error_file(trial: Any) -> Path:
    """The file into which Ray Tune has written why a trial's process died; it may be missing.

    Private: `Trial.local_path` and `Trial.run_metadata.error_filename`, documented nowhere; what
    `Trial.get_error` reads is copied later.
    """
    return Path(trial.local_path) / str(trial.run_metadata.error_filename)
