"""A sweep in this process, without Ray; and drivers in processes of their own."""

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from alembic.script import ScriptDirectory

from bearing_search.sweep.driver.controller import SweepController, trial_payload
from bearing_search.sweep.driver.session import StopRequest, begin_session
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.locking.lock import acquire
from bearing_search.sweep.planning.ledger import Ledger
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.worker.context import WorkerContext
from bearing_search.sweep.worker.process import THREAD_VARIABLES, run_payload

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _optunas_migrations_are_read_once():
    """Alembic imports a dozen files for each storage that is opened; they are the same for all."""
    read = ScriptDirectory.from_config
    known = {}

    def read_once(config):
        location = config.get_main_option("script_location")
        if location not in known:
            known[location] = read(config)
        return known[location]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", read_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_commit_waits_for_the_disk():
    """SQLite leaves it to the operating system when to write: tests kill processes, no machines."""

    def relax(connection, _):
        if isinstance(connection, sqlite3.Connection):
            connection.execute("pragma synchronous=off")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", relax)
    yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", relax)


@pytest.fixture(scope="session")
def fakes():
    """The module that the drivers' workers import, too."""
    spec = importlib.util.spec_from_file_location("fakes", HERE / "fakes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _quick_steps(monkeypatch):
    monkeypatch.setenv("FAKE_STEP_S", "0")
    monkeypatch.setattr("bearing_search.sweep.remote.worker_sync.LOOK_EVERY_S", 0.0)
    for name in (*THREAD_VARIABLES, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "7")  # so that what the worker sets is undone


@pytest.fixture
def new_sweep(tmp_path, fakes):
    def create(**changes):
        facts = {
            "name": "one",
            "space_text": fakes.SPACE,
            "data": str(tmp_path),
            "data_digest": "d1",
            "target": 3,
            "versions": {},
            "git_commit": "",
        }
        return create_sweep(tmp_path, SweepRecord(**(facts | changes)))

    return create


@pytest.fixture
def ledger_of():
    """The ledger of a sweep; the one before it is closed, as its process would be."""
    opened: list[Ledger] = []

    def open_ledger(folder):
        while opened:
            opened.pop().close()
        ledger = Ledger(folder)
        opened.append(ledger)
        return ledger

    yield open_ledger
    for ledger in opened:
        ledger.close()


@pytest.fixture
def uncounted_ledger_of(ledger_of, monkeypatch):
    """The ledger of a sweep, as if its space had too many points to be counted."""

    def open_ledger(folder):
        with monkeypatch.context() as patch:
            module = "bearing_search.sweep.planning.sweep_state"
            patch.setattr(f"{module}.all_digests", lambda *_, **__: None)
            return ledger_of(folder)

    return open_ledger


@pytest.fixture
def simulate(ledger_of):
    """What the engine does, one trial at a time and in this process."""

    def run(folder, run_trial, callbacks=(), on_message: Callable | None = None):
        with acquire(folder) as drivers:
            stop = StopRequest(folder, drivers)
            controller = SweepController(folder, ledger_of(folder), callbacks, stop)
            session = begin_session(folder, drivers)
            controller.begin()
            worker_context = WorkerContext(
                root=folder.root,
                session=session,
                data=folder.data,
                cache=folder.cache,
                threads=1,
                gpus=0.0,
                shares_stages=True,
            )
            while not controller.is_finished:
                scheduled = controller.next_trial()
                if scheduled is None:
                    break

                def report(message, number=scheduled.number):
                    controller.on_report(number, message)
                    if on_message is not None:
                        on_message(number, message, stop)

                run_payload(trial_payload(scheduled), worker_context, run_trial, report)
                controller.on_trial_end(scheduled.number)
            return controller.finish()

    return run


class Observed:
    """A callback that is a list."""

    def __init__(self):
        self.events = []

    def on_sweep_start(self, sweep):
        self.events.append(("start", len(sweep.trials)))

    def on_trial_start(self, trial):
        self.events.append(("trial", trial.number, dict(trial.suggestion)))

    def on_measurement(self, number, measurement):
        self.events.append(("step", number, measurement.step))

    def on_trial_end(self, trial):
        self.events.append(("end", trial.number, trial.state, trial.value, trial.reason))

    def on_sweep_end(self, outcome):
        self.events.append(("over", outcome.stopped_by))

    def of(self, kind):
        return [event[1:] for event in self.events if event[0] == kind]


@pytest.fixture
def observed():
    return Observed()


class Driver:
    """One process of drive.py."""

    def __init__(self, results, name, trials, *options, **environment):
        self.results = Path(results)
        self.name = name
        set_by_workers = {*THREAD_VARIABLES, "CUDA_VISIBLE_DEVICES"}
        inherited = {k: v for k, v in os.environ.items() if k not in set_by_workers}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "drive.py"), str(results), name, str(trials), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**inherited, "PYTHONPATH": str(HERE.parents[1]), **environment},
            start_new_session=True,
        )

    def audit(self):
        """What all its trials did: trial number -> lines."""
        files = sorted((self.results / self.name / "trials").glob("*/audit.jsonl"))
        return {
            int(file.parent.name): [json.loads(line) for line in file.read_text().splitlines()]
            for file in files
        }

    def wait_for_steps(self, count, timeout_s=60.0):
        """Until its trials have done so many steps in all."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            steps = [line for lines in self.audit().values() for line in lines]
            if sum(line["what"].startswith("step") for line in steps) >= count:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"not {count} steps: {self.finish()}")

    def wait_for_sessions(self, count, timeout_s=60.0):
        """Until so many drivers let workers work."""
        deadline = time.monotonic() + timeout_s
        while len(list((self.results / self.name / "sessions").glob("*.json"))) < count:
            assert time.monotonic() < deadline, "no session"
            time.sleep(0.05)

    def finish(self, timeout_s=120.0):
        """Exit status, the printed outcome (or text, where there is none), and stderr."""
        try:
            out, err = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        status = self.process.returncode
        return status, json.loads(out) if status in (0, 130) else out, err


@pytest.fixture
def drive(tmp_path):
    started = []

    def start(*arguments, step_s=0.1, **environment):
        driver = Driver(tmp_path, *map(str, arguments), FAKE_STEP_S=str(step_s), **environment)
        started.append(driver)
        return driver

    yield start
    for driver in started:
        if driver.process.poll() is None:
            driver.process.kill()
        driver.process.communicate()
