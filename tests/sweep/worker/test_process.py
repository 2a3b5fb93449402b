import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from bearing_search.config import TrialConfig, to_plain
from bearing_search.measurement import OBJECTIVE, Measurement, TrialContext
from bearing_search.sweep.driver.session import begin_session
from bearing_search.sweep.execution.orphan_reaper import users_of
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.locking.drivers import SingleDriver
from bearing_search.sweep.worker.context import StopFlag, WorkerContext
from bearing_search.sweep.worker.process import LazyTrial, configure_device, run_payload

PAYLOAD = {"number": 0, "config": json.dumps(to_plain(TrialConfig()))}


@pytest.fixture
def worker_context(new_sweep):
    folder = new_sweep()
    session = begin_session(folder, SingleDriver())
    return WorkerContext(
        root=folder.root,
        session=session,
        data=folder.root,
        cache=folder.cache,
        threads=2,
        gpus=0.0,
        shares_stages=True,
    )


def one_step(config, context):
    yield Measurement(step=1, values={OBJECTIVE: 0.5})


def test_a_trial_stops_when_the_sweep_it_or_its_driver_does(new_sweep, worker_context):
    for stop_file in (
        worker_context.root / "STOP",
        worker_context.root / "trials" / "00000" / "STOP",
    ):
        flag = StopFlag(worker_context.folder_sync(0))
        assert not flag()
        stop_file.parent.mkdir(exist_ok=True)
        stop_file.touch()
        assert flag()
        stop_file.unlink()
        assert flag()  # it does not change its mind

    other = StopFlag(worker_context.folder_sync(1))
    assert not other()
    begin_session(load_sweep(worker_context.root.parent, "one"), SingleDriver())  # another driver
    assert other()
    assert StopFlag(worker_context.folder_sync(1))()


@pytest.mark.slow
def test_a_trial_waits_until_a_process_of_a_killed_session_lets_go_of_its_folder(worker_context):
    folder = worker_context.root / "trials" / "00000"
    folder.mkdir(parents=True)
    code = (
        "import fcntl, sys, time\n"
        f"stream = open({str(folder / 'lock')!r}, 'w')\n"
        "fcntl.lockf(stream, fcntl.LOCK_EX)\n"
        "print('held', flush=True); time.sleep(1.0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as old:
        assert old.stdout.readline() == "held\n"
        began = time.monotonic()
        messages: list[Any] = []
        run_payload(PAYLOAD, worker_context, one_step, messages.append)
        waited = time.monotonic() - began

    assert waited > 0.7
    assert len(messages) == 1


def test_a_trial_that_is_stopped_while_it_waits_does_not_begin(worker_context):
    folder = worker_context.root / "trials" / "00000"
    folder.mkdir(parents=True)
    code = (
        "import fcntl, sys\n"
        f"stream = open({str(folder / 'lock')!r}, 'w')\n"
        "fcntl.lockf(stream, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as old:
        assert old.stdout.readline() == "held\n"
        (worker_context.root / "STOP").touch()
        messages: list[Any] = []
        run_payload(PAYLOAD, worker_context, one_step, messages.append)
        old.communicate()

    assert messages == []


def test_a_trial_is_imported_where_it_runs(tmp_path, monkeypatch):
    trial = LazyTrial("tests_of_nothing", "run_trial")
    context = TrialContext(data=tmp_path, folder=tmp_path, cache=tmp_path)
    with pytest.raises(ModuleNotFoundError):
        trial(TrialConfig(), context)
    (tmp_path / "tests_of_nothing.py").write_text(
        "def run_trial(config, context): yield config.seed"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert list(trial(TrialConfig(seed=7), context)) == [7]


def test_the_environment_says_how_many_threads_and_which_device(monkeypatch):
    assert configure_device(threads=3, gpus=0.0) == "cpu"
    assert (os.environ["OMP_NUM_THREADS"], os.environ["CUDA_VISIBLE_DEVICES"]) == ("3", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert configure_device(threads=1, gpus=0.5) == "cuda"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"


def test_the_watchdog_knows_its_processes_by_what_they_have_open(tmp_path):
    log = str(tmp_path / "log")
    code = f"import sys; f = open({log!r}, 'w'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert [p.pid for p in users_of(tmp_path, but=set())] == [process.pid]
        assert users_of(tmp_path, but={process.pid}) == []
        assert users_of(tmp_path / "other", but=set()) == []
        process.communicate()
