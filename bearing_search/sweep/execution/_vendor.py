"""Everything this package uses beyond Ray's public API, as found in Ray 2.60.0.

`tests/sweep/execution/test_vendor.py` fails when another version differs.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ray._private import ray_constants
from ray._private import services as ray_services
from ray._private import worker as ray_worker


def redirect_remarks(log: Callable[[str], None]) -> None:
    """Pass each line that Ray would print about its processes, such as a worker's death, to `log`.

    Private: `ray._private.worker.print_to_stdstream(data, ignore_prefix)`, which Ray looks up in
    its module whenever it prints, regardless of `log_to_driver`.
    """

    def print_to_stdstream(data: Mapping[str, Any], ignore_prefix: bool) -> None:
        for line in data.get("lines", []):
            log(line)

    ray_worker.print_to_stdstream = print_to_stdstream


def in_folder(folder: Path) -> dict[str, Any]:
    """Options of `ray.init` that put Ray's own files in a folder.

    Private: `_temp_dir`; the public way is an environment variable, which outlives the sweep.
    """
    return {"_temp_dir": str(folder)}


@contextmanager
def on_loopback() -> Iterator[None]:
    """A Ray that is started in the block listens at 127.0.0.1 alone.

    Private: `ray._private.ray_constants.ENABLE_RAY_CLUSTER`, which is off where Ray supports no
    clusters; `ray.init(_node_ip_address="127.0.0.1")` would be replaced by another address.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def in_own_sessions() -> Iterator[None]:
    """Each of Ray's processes that is started in the block gets a process session of its own.

    A signal to this process's group (from a terminal, `timeout`, a batch system) then reaches this
    process alone, which stops the trials.

    Private: `ray._private.services.ConsolePopen`, with which Ray starts them.
    """
    popen = ray_services.ConsolePopen
    ray_services.ConsolePopen = partial(popen, start_new_session=True)
    try:
        yield
    finally:
        ray_services.ConsolePopen = popen


def started_processes() -> dict[str, subprocess.Popen[bytes]]:
    """Ray's processes that this process has started, by name; empty if it joined a cluster.

    Private: `ray._private.worker._global_node.all_processes`.
    """
    node = ray_worker._global_node
    if node is None:
        return {}
    return {name: info.process for name, (info, *_) in node.all_processes.items()}


def session_folder() -> Path:
    """Folder with the sockets and logs of the Ray that this process uses.

    Private: `ray._private.worker._global_node.get_session_dir_path`.
    """
    return Path(ray_worker._global_node.get_session_dir_path())


def error_file(trial: Any) -> Path:
    """File in which Ray Tune records why a trial's process died; it may be missing.

    Private: the undocumented `Trial.local_path` and `Trial.run_metadata.error_filename`; the file
    that `Trial.get_error` reads is copied only later.
    """
    return Path(trial.local_path) / str(trial.run_metadata.error_filename)
