"""Sweeps on clusters that others have started: a token, a node that dies, nodes without data."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STEPS = [f"step {n}" for n in range(1, 9)]

pytestmark = pytest.mark.slow


class Cluster:
    """A process of cluster_host.py."""

    def __init__(self, nodes, gpus, environment):
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        inherited = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "cluster_host.py"), str(nodes), str(gpus)],
            # the fake trial lies on the nodes; bearing_search comes from the driver
            # and the length of a step from its node, not from the driver
            env=inherited
            | self.environment
            | {"PYTHONPATH": str(HERE), "FAKE_STEP_S": "1.5"}
            | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()

    def kill_node_of(self, raylet):
        self.process.stdin.write(f"kill {raylet}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "killed\n"

    def end(self):
        self.process.communicate(timeout=60)


@pytest.fixture
def new_cluster():
    started = []

    def start(nodes=2, gpus=2, **environment):
        started.append(Cluster(nodes, gpus, environment))
        assert started[-1].address
        return started[-1]

    yield start
    for cluster in started:
        cluster.end()


@pytest.fixture
def nodes_home():
    """TMPDIR of nodes. Not below `tmp_path`: Ray keeps sockets there, whose paths must be short."""
    with tempfile.TemporaryDirectory(prefix="bs-nodes-") as home:
        yield Path(home)


def trained(audit):
    """What every trial trained, in order."""
    return {
        number: [line["what"] for line in lines if line["what"] != "start"]
        for number, lines in audit.items()
    }


def assert_only_what_was_under_way_was_trained_again(audit, moved):
    for number, steps in trained(audit).items():
        assert steps == sorted(steps)
        assert sorted(set(steps)) == STEPS, number
        # the step that was under way may have been noted and not saved
        assert len(steps) <= len(STEPS) + (number in moved)


def moved_trials(audit):
    """Trials that were started on two nodes."""
    return [
        number
        for number, lines in audit.items()
        if len({line["node"] for line in lines if line["what"] == "start"}) == 2
    ]


def under_way(audit):
    """Trials with something to lose and something to do."""
    return [number for number, steps in trained(audit).items() if 1 < len(steps) < 5]


def wait_until(condition, driver, timeout_s=120):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert driver.process.poll() is None, driver.finish()
        assert time.monotonic() < deadline, driver.audit()
        time.sleep(0.1)


def test_trials_of_a_killed_node_move_to_another_and_go_on_from_their_checkpoints(
    new_cluster, drive, tmp_path
):
    cluster = new_cluster()
    driver = drive(
        "one", 6, "--address", cluster.address, "--mlflow", "local", **cluster.environment
    )
    wait_until(lambda: under_way(driver.audit()), driver)
    (victim, *_) = under_way(driver.audit())
    cluster.kill_node_of(driver.audit()[victim][0]["node"])
    status, outcome, error = driver.finish(200)

    assert (status, outcome["complete"], outcome["failed"]) == (0, 6, 0), error
    audit = driver.audit()
    moved = moved_trials(audit)
    assert victim in moved
    assert len(moved) <= 2  # the node had two GPUs
    assert_only_what_was_under_way_was_trained_again(audit, moved)
    for lines in audit.values():
        assert {line["visible"] for line in lines} <= {"0", "1"}
        # the code was brought along: no worker runs this checkout
        assert all("runtime_resources" in line["code"] for line in lines)


def test_nodes_without_the_sweeps_folder_keep_their_trials_in_a_depot(
    new_cluster, drive, tmp_path, nodes_home
):
    cluster = new_cluster(TMPDIR=str(nodes_home))
    depot = (tmp_path / "depot").as_uri()
    options = ("--address", cluster.address, "--depot", depot, "--mlflow", "local")
    driver = drive("one", 6, *options, **cluster.environment)

    def on_the_nodes():
        files = nodes_home.glob("bearing_search-*/one-*/trials/*/audit.jsonl")
        texts = {int(file.parent.name): file.read_text() for file in files if file.exists()}
        return {number: [*map(json.loads, text.splitlines())] for number, text in texts.items()}

    wait_until(lambda: under_way(on_the_nodes()), driver)
    seen = on_the_nodes()
    (victim, *_) = under_way(seen)
    assert driver.audit() == {}  # nothing is written into the sweep's folder before a trial's end
    cluster.kill_node_of(seen[victim][0]["node"])
    status, outcome, error = driver.finish(200)

    assert (status, outcome["complete"], outcome["failed"]) == (0, 6, 0), error
    audit = driver.audit()
    moved = moved_trials(audit)
    assert victim in moved
    assert_only_what_was_under_way_was_trained_again(audit, moved)
    assert on_the_nodes() == {}


def test_a_cluster_whose_token_is_not_known_is_refused_in_one_line(new_cluster, drive):
    cluster = new_cluster(nodes=1)
    other = cluster.environment | {"RAY_AUTH_TOKEN": secrets.token_hex(16)}
    driver = drive("one", 1, "--address", cluster.address, **other)
    status, _, error = driver.finish(200)

    assert status == 5
    last = error.splitlines()[-1]  # below what Ray's own core has written there
    assert last.startswith(f"error: no Ray cluster can be used at {cluster.address}: ")
    assert last.endswith("RAY_AUTH_MODE and RAY_AUTH_TOKEN must match the cluster's")


def test_nodes_without_the_data_are_refused_before_the_first_trial(new_cluster, drive):
    cluster = new_cluster(nodes=1)
    driver = drive(
        "one", 1, "--address", cluster.address, "--data", "/nowhere", **cluster.environment
    )
    status, _, error = driver.finish(200)

    assert status == 5
    assert "cannot find the data at /nowhere" in error
    assert error.count("\n") == 1
    assert driver.audit() == {}
