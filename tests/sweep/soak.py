"""Kills of every kind at random moments, until a sweep is done; then the tally.

Used by `test_soak.py` (a few minutes) and by `benchmarks/soak.py` (60 kills and more). Kinds, and
pauses before them, are a function of the seed, which the tally shows.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HERE = Path(__file__).parent
AIMED = ("draw", "log")
"""The driver by itself, exactly there: between two parameters of a suggestion that is drawn; when a
trial's end is in the ledger and not yet in MLflow (`drive.py`)."""

KINDS = (
    *("driver", "SIGTERM", "SIGINT", "worker", "raylet", "cluster", "mlflow", "start", "turn"),
    *AIMED,
)
"""Who is killed. `raylet`: Ray's process for this machine, and no other. `cluster`: the driver and
all that it started. `start`: the driver within seconds of its beginning. `turn`: the driver when a
trial ends: while it tells, logs, and draws the next."""

NUM_STEPS = 8
PATIENCE_S = 240.0
"""A driver that neither trains nor ends for so long hangs."""


@dataclass
class Tally:
    """What was left when the sweep was done."""

    seed: int
    kills: Counter = field(default_factory=Counter)
    sessions: int = 0
    states: Counter = field(default_factory=Counter)
    configs: int = 0
    trained: int = 0
    repeated: int = 0
    gone_back: int = 0
    runs: Counter = field(default_factory=Counter)
    runs_of_a_trial: int = 0
    steps_out_of_order: int = 0
    orphans: int = 0

    def problems(self, trials: int) -> list[str]:
        """What is not as it must be; nothing where every trial happened exactly once."""
        wanted = {
            "states": {"complete": trials},
            "configs": trials,
            "trained": trials * NUM_STEPS,
            "gone_back": 0,
            "runs": {"FINISHED": trials + 1},
            "runs_of_a_trial": 1,
            "steps_out_of_order": 0,
            "orphans": 0,
        }
        found = {name: getattr(self, name) for name in wanted}
        wrong = [
            f"{name}: {found[name]}, wanted {value}"
            for name, value in wanted.items()
            if found[name] != value
        ]
        # a kill costs each of the two trials that run the step that it was in, at most
        most = 2 * self.kills.total()
        return [*wrong, *([f"repeated: {self.repeated}"] if self.repeated > most else [])]


class MlflowServer:
    """A server that is killed, and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        store = f"sqlite:///{self._folder / 'mlflow.db'}"
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self._port)]
        command += ["--backend-store-uri", store, "--workers", "1"]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        self._process = subprocess.Popen(
            command,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            time.sleep(0.2)
        raise RuntimeError("MLflow's server does not start")

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Soak:
    """One sweep of fake trials on real Ray, Optuna and MLflow, under fire.

    Args:
        results: an empty folder.
        seed: of the kinds and the moments.
        trials: how many are wanted.
        storage: URL of the ledger; empty: sqlite.
        kinds: what happens, in this order and then again, one at a time.
    """

    def __init__(
        self,
        results: Path,
        *,
        seed: int,
        trials: int,
        storage: str = "",
        kinds: Sequence[str] = KINDS,
        step_s: float = 0.1,
    ) -> None:
        self._results = results
        self._random = random.Random(seed)
        self.trials = trials
        self._kinds = kinds
        self._step_s = step_s
        self._storage = storage
        self._families: dict[int, psutil.Process] = {}
        self._mlflow = MlflowServer(results)
        self._aim = results / "aim"
        self.tally = Tally(seed)

    def run(self, kills: int) -> Tally:
        """Kill so often at least, then let the sweep end, and count."""
        try:
            while True:
                is_calm = self.tally.kills.total() >= kills
                driver = self._start()
                if not is_calm:
                    self._attack(driver)
                status, error = self._wait(driver)
                if is_calm and status == 0:
                    break
                if status == 0:  # sooner than it was to be: there must be something left to kill
                    self.trials += 4
                if is_calm:
                    raise AssertionError(f"the last session ended with {status}: {error}")
            self._count()
        finally:
            self._end()
        return self.tally

    def _start(self) -> subprocess.Popen:
        self.tally.sessions += 1
        options = ["--mlflow", self._mlflow.uri, "--concurrent", "2"]
        options += ["--storage", self._storage] if self._storage else []
        return subprocess.Popen(
            [sys.executable, HERE / "drive.py", self._results, "soak", str(self.trials), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "PYTHONPATH": str(HERE.parents[1]),
                "FAKE_STEP_S": str(self._step_s),
                "DRIVE_AIM": str(self._aim),
            },
            start_new_session=True,
        )

    def _attack(self, driver: subprocess.Popen) -> None:
        while driver.poll() is None:
            kind = self._kinds[self.tally.kills.total() % len(self._kinds)]
            if kind != "start" and not self._has_begun(driver):
                return
            if kind in AIMED:
                self._take_aim(kind, driver)
                return
            if kind == "turn":
                self._wait_for_an_end(driver)
            longest = {"start": 9.0, "turn": 0.05}.get(kind, 2.5)
            pause = self._random.uniform(0, longest)
            deadline = time.monotonic() + pause
            while time.monotonic() < deadline and driver.poll() is None:
                time.sleep(0.01)
            if driver.poll() is None and self._strike(kind, driver):
                self.tally.kills[kind] += 1
            if kind not in ("worker", "mlflow"):
                return

    def _take_aim(self, kind: str, driver: subprocess.Popen) -> None:
        self._aim.write_text(kind)
        while driver.poll() is None:
            self._family(driver)
            time.sleep(0.05)
        if not self._aim.exists():
            assert driver.returncode == -signal.SIGKILL, driver.returncode
            self.tally.kills[kind] += 1

    def _strike(self, kind: str, driver: subprocess.Popen) -> bool:
        own, family = psutil.Process(driver.pid), self._family(driver)
        match kind:
            case "SIGTERM" | "SIGINT":
                driver.send_signal(getattr(signal, kind))
                return True
            case "mlflow":
                self._mlflow.kill()
                time.sleep(self._random.uniform(0, 2))
                self._mlflow.start()
                return True
            case "worker":
                titles = {process: _title(process) for process in family}
                busy = [p for p, name in titles.items() if "ray::" in name and "IDLE" not in name]
                victims = [self._random.choice(busy)] if busy else []
            case "raylet":  # alone: the driver has to notice
                victims = [p for p in family if "raylet" in _title(p).split(" ")[0]]
            case "cluster":
                victims = [own, *family]
            case _:
                victims = [own]
        for process in victims:
            _kill(process)
        return bool(victims)

    def _family(self, driver: subprocess.Popen) -> list[psutil.Process]:
        with suppress(psutil.Error):
            children = psutil.Process(driver.pid).children(recursive=True)
            self._families |= {process.pid: process for process in children}
            return children
        return []

    def _has_begun(self, driver: subprocess.Popen) -> bool:
        before = self._lines()
        deadline = time.monotonic() + PATIENCE_S
        while driver.poll() is None and self._lines() == before:
            if time.monotonic() > deadline:
                driver.kill()
                raise AssertionError(f"the driver trains nothing for {PATIENCE_S} s")
            time.sleep(0.05)
        return driver.poll() is None

    def _wait_for_an_end(self, driver: subprocess.Popen) -> None:
        before = self._lines(last_only=True)
        while driver.poll() is None and self._lines(last_only=True) == before:
            time.sleep(0.01)

    def _lines(self, *, last_only: bool = False) -> int:
        audits = [audit for lines in self._audit().values() for audit in lines]
        return sum(f"step {NUM_STEPS}" == what or not last_only for what in audits)

    def _audit(self) -> dict[int, list[str]]:
        found = {}
        for file in (self._results / "soak" / "trials").glob("*/audit.jsonl"):
            lines = [line for line in file.read_text().split("\n")[:-1] if line]
            found[int(file.parent.name)] = [json.loads(line)["what"] for line in lines]
        return found

    def _wait(self, driver: subprocess.Popen) -> tuple[int, str]:
        try:
            _, error = driver.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            raise
        return driver.returncode, error[-3000:]

    def _end(self) -> None:
        self._mlflow.kill()
        _, alive = psutil.wait_procs(list(self._families.values()), timeout=90)
        self.tally.orphans = len(alive)
        for process in alive:
            _kill(process)

    def _count(self) -> None:
        from mlflow import MlflowClient

        from bearing_search.sweep.folder.sweep_folder import load_sweep
        from bearing_search.sweep.study.trial_records import read_records

        folder = load_sweep(self._results, "soak")
        records = read_records(folder.storage_url, folder.study_name)
        self.tally.states = Counter(record.state for record in records)
        self.tally.configs = len({record.digest for record in records})
        for whats in self._audit().values():
            steps = [int(what.split()[1]) for what in whats if what != "start"]
            self.tally.trained += len(set(steps))
            self.tally.repeated += len(steps) - len(set(steps))
            self.tally.gone_back += steps != sorted(steps)
        client = MlflowClient(self._mlflow.uri)
        experiment = client.get_experiment_by_name("soak")
        runs = client.search_runs([experiment.experiment_id])
        self.tally.runs = Counter(run.info.status for run in runs)
        numbers = Counter(run.data.tags.get("bearing_search.trial", "own") for run in runs)
        self.tally.runs_of_a_trial = max(numbers.values())
        for run in runs:
            if "bearing_search.trial" in run.data.tags:
                history = client.get_metric_history(run.info.run_id, "z_details/train/loss")
                steps = [point.step for point in history]
                self.tally.steps_out_of_order += steps != list(range(1, NUM_STEPS + 1))


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()
