"""MLflow's real server on results that were moved, and on results that cannot be written."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from bearing_search.tracking import default_tracking_uri
from bearing_search.tracking.store import connect

AS_ROOT = os.geteuid() == 0
WITHOUT_POWERS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] * AS_ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(url: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError((server.poll(), "not healthy in time"))


@pytest.mark.slow
@pytest.mark.skipif(AS_ROOT and shutil.which("setpriv") is None, reason="modes do not bind root")
@pytest.mark.filterwarnings("ignore:The ``noload`` loader")  # MLflow's own use of SQLAlchemy
@pytest.mark.parametrize("how", ["moved", "read-only"])
def test_the_pages_show_runs_and_files_of_results(tmp_path, how):
    old, results = tmp_path / "r1", tmp_path / "r 2#{x}"
    old.mkdir()
    client = connect(default_tracking_uri(old))
    experiment = client.create_experiment("one", artifact_location=f"{old}/mlartifacts/one")
    run = client.create_run(experiment)
    (tmp_path / "map.txt").write_text("a map")
    client.log_artifact(run.info.run_id, str(tmp_path / "map.txt"))
    client.log_metric(run.info.run_id, "val/pixel_aupro", 0.5)
    old.rename(results)
    everything = [results, *results.rglob("*")]
    if how == "read-only":
        for path in everything:
            path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(results.rglob("*"))
    port, scratch = free_port(), tmp_path / "scratch"
    scratch.mkdir()
    log = tmp_path / "log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [
                *(*WITHOUT_POWERS, sys.executable, "-m", "bearing_search", "ui"),
                *("--port", str(port), "--results", str(results)),
            ],
            env=os.environ | {"TMPDIR": str(scratch)},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", server)
        there = MlflowClient(f"http://127.0.0.1:{port}")
        (found,) = there.search_runs([experiment])
        assert found.data.metrics == {"val/pixel_aupro": 0.5}
        target = tmp_path / "downloaded"
        target.mkdir()
        file = Path(there.download_artifacts(found.info.run_id, "map.txt", str(target)))
        assert file.read_text() == "a map"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)
        for path in everything:
            with suppress(FileNotFoundError):
                path.chmod(0o755 if path.is_dir() else 0o644)
    assert not old.exists()
    if how == "read-only":
        assert sorted(results.rglob("*")) == before
        assert "is read-only: the pages show a copy" in log.read_text()
