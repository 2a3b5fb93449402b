"""Whether the installed Ray still has, and means, what `sweep/execution/_vendor.py` uses of it."""

import inspect
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import ray
from ray._private import ray_constants, services, worker
from ray.tune.experiment import Trial
from ray.tune.utils import resource_updater

from bearing_search.sweep.execution._vendor import error_file, on_loopback, redirect_remarks


def differs(what):
    return f"Ray {ray.__version__}: {what} is not as in 2.60.0; mend sweep/execution/_vendor.py"


def test_ray_prints_remarks_by_a_function_that_can_be_replaced(monkeypatch):
    name = "print_to_stdstream"
    assert hasattr(worker, name), differs(f"ray._private.worker.{name}")
    parameters = list(inspect.signature(worker.print_to_stdstream).parameters)
    assert parameters == ["data", "ignore_prefix"], differs(f"what {name} takes")
    asks_for_it = worker.listen_error_messages.__code__.co_names
    assert name in asks_for_it, differs("how the raylet's errors are printed")

    monkeypatch.setattr(worker, name, worker.print_to_stdstream)  # to be put back
    heard: list[str] = []
    redirect_remarks(heard.append)
    worker.print_to_stdstream({"lines": ["a worker died"], "pid": "raylet"}, ignore_prefix=False)
    assert heard == ["a worker died"]


def test_tune_names_the_file_that_holds_a_trials_error(tmp_path):
    assert isinstance(Trial.local_path, property), differs("Trial.local_path")
    reads = inspect.getsource(Trial.error_file.fget)
    for name in ("self.local_path", "self.run_metadata.error_filename"):
        assert name in reads, differs(f"Trial's {name.removeprefix('self.')}")

    class Ended:
        local_path = str(tmp_path)
        run_metadata = type("Metadata", (), {"error_filename": "error.txt"})

    assert error_file(Ended()) == tmp_path / "error.txt"


def test_without_clusters_ray_takes_the_loopback_address(monkeypatch):
    monkeypatch.setattr(worker, "_global_node", None)
    with on_loopback():
        assert services.get_node_ip_address() == "127.0.0.1", differs("ENABLE_RAY_CLUSTER")
    assert ray_constants.ENABLE_RAY_CLUSTER, differs("ENABLE_RAY_CLUSTER")


STARTS = """
import json
import os
import sys
import ray
from bearing_search.sweep.execution._vendor import (
    in_folder, in_own_sessions, session_folder, started_processes
)
options = in_folder(sys.argv[1])
with in_own_sessions():
    ray.init("local", include_dashboard=False, log_to_driver=False, num_cpus=1, **options)
processes = started_processes()
seen = {
    "folder": str(session_folder()),
    "mine": os.getsid(0),
    "sessions": {name: os.getsid(process.pid) for name, process in processes.items()},
    "living": [name for name, process in processes.items() if process.poll() is None],
}
ray.shutdown()
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_ray_keeps_its_files_in_the_folder_it_is_given_and_its_processes_to_themselves():
    # short: the paths of Unix sockets below it may have 107 bytes
    with tempfile.TemporaryDirectory(prefix="bs-") as folder:
        command = [sys.executable, "-c", STARTS, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{differs('what starts Ray')}: {done.stderr[-500:]}"
        sessions = list(Path(folder).glob("session_2*"))
        assert sessions, differs("ray.init(_temp_dir=...)")

    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["folder"] == str(sessions[0]), differs("Node.get_session_dir_path")
    assert {"gcs_server", "raylet"} <= set(seen["living"]), differs("Node.all_processes")
    assert seen["mine"] not in seen["sessions"].values(), differs("services.ConsolePopen")


def test_tune_asks_for_the_clusters_resources_as_rarely_as_it_is_told():
    reads = inspect.getsource(resource_updater)
    assert '"TUNE_STATE_REFRESH_PERIOD"' in reads, differs("how often Tune asks the cluster")
