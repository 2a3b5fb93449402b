"""The Ray of a local sweep is closed to other users and machines."""

import json
import subprocess
import sys

import pytest

LISTS = """
import json
import os
import stat
from pathlib import Path

import psutil
import ray

from bearing_search.sweep.execution.runtime import ray_runtime
from bearing_search.sweep.record.resources import Resources

with ray_runtime(Resources(), lambda: None):
    ray.get(ray.remote(num_cpus=0)(lambda: 0).remote())
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    closed = [str(f) for f in session.parents if stat.S_IMODE(os.stat(f).st_mode) == 0o700]
    children = psutil.Process().children(recursive=True)
    found = [c for p in (psutil.Process(), *children) for c in p.net_connections()]
    listening = [c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN]
print(json.dumps({"listening": listening, "closed": closed, "left": os.path.exists(closed[0])}))
"""


@pytest.mark.slow
def test_a_local_ray_listens_on_loopback_and_keeps_its_files_in_a_closed_folder():
    done = subprocess.run(
        [sys.executable, "-c", LISTS], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    assert len(found["listening"]) >= 3
    assert {ip.removeprefix("::ffff:") for ip in found["listening"]} == {"127.0.0.1"}
    assert len(found["closed"]) == 1
    assert not found["left"]
