"""Several drivers on one sweep, over a real PostgreSQL server."""

import importlib.util
import os
import shutil
import signal
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy

from bearing_search.errors import SweepError
from bearing_search.sweep.driver.session import begin_session
from bearing_search.sweep.engine import open_ledger
from bearing_search.sweep.folder.relocation import checked_home
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.locking.drivers import SharedDriver
from bearing_search.sweep.locking.lock import acquire, current_driver, join_sweep
from bearing_search.sweep.planning.ledger import Ledger
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.status import sweep_status
from bearing_search.sweep.study.storage import check_ledger, delete_study, sqlalchemy_url


def load(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


postgres = load(Path(__file__).parents[1] / "postgres.py")
engine = load(Path(__file__).with_name("test_engine.py"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or "there is one"),
]


@pytest.fixture(scope="module")
def server():
    with postgres.server() as started:
        yield started


@pytest.fixture
def storage(server, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    return server.url


@pytest.fixture(autouse=True)
def _no_rests(monkeypatch):
    monkeypatch.setattr("bearing_search.sweep.planning.ledger.LOOK_EVERY_S", 0.0)


@pytest.fixture
def shared(new_sweep, storage):
    return new_sweep(storage=storage, target=4)


@pytest.fixture
def join():
    """A further driver of a sweep, in this process; ends of them are as sudden as a kill."""
    opened: list[SharedDriver | Ledger] = []

    def open_ledger(folder, **options):
        crew = SharedDriver(folder, may_join=True)
        ledger = Ledger(folder, crew, **options)
        opened.extend([crew, ledger])
        return crew, ledger

    yield open_ledger
    for one in opened:
        one.close()


def drain(ledger):
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
    return scheduled


def test_a_second_driver_is_refused_unless_it_joins(shared):
    with acquire(shared):
        who = rf"held by process {os.getpid()} on .*, since 20.*`resume --join`"
        with pytest.raises(SweepError, match=who), acquire(shared):
            raise AssertionError("two drivers")
        with acquire(shared, join=True):
            assert current_driver(shared).count(f"process {os.getpid()}") == 2
    assert current_driver(shared) == ""


def test_who_joins_takes_the_sweep_as_it_is(shared):
    assert join_sweep(shared, SessionOptions(target=4)) == shared
    with pytest.raises(SweepError, match="`--join` cannot change target or seeds; run `resume`"):
        join_sweep(shared, SessionOptions(target=5))


def test_a_sweep_with_a_file_as_its_ledger_cannot_be_joined(new_sweep):
    with pytest.raises(SweepError, match="its ledger is a file"), acquire(new_sweep(), join=True):
        raise AssertionError("joined")


def test_two_drivers_together_issue_no_more_than_the_target_and_no_config_twice(shared, join):
    (_, one), (_, two) = join(shared), join(shared)
    scheduled = []
    for _ in range(3):
        scheduled += [ledger.next() for ledger in (one, two)]

    numbers = [trial.number for trial in scheduled if trial is not None]
    assert numbers == [0, 1, 2, 3]
    assert len({trial.config.digest for trial in scheduled if trial is not None}) == 4
    assert not two.is_done  # others may still fail and leave their places


def test_threads_that_draw_at_once_do_not_overshoot(shared, join):
    ledgers = [join(shared)[1] for _ in range(3)]
    scheduled = []
    threads = [threading.Thread(target=lambda b=b: scheduled.extend(drain(b))) for b in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(trial.number for trial in scheduled) == [0, 1, 2, 3]


def test_what_a_dead_driver_ran_goes_to_another_and_its_workers_are_told_to_end(shared, join):
    dead, first = join(shared)
    alive, second = join(shared)
    for crew in (dead, alive):
        begin_session(shared, crew)
    theirs = [first.next().number, first.next().number]
    own = drain(second)
    assert sorted([*theirs, *(trial.number for trial in own)]) == [0, 1, 2, 3]

    dead.close()  # as the server does when the process is killed
    taken = drain(second)

    assert [trial.number for trial in taken] == theirs
    assert [file.stem for file in shared.sessions.iterdir()] == [alive.name]
    for trial in [*own, *taken]:
        second.complete(trial.number, 0.5)
    assert second.is_done
    assert [record.state for record in second.records()] == ["complete"] * 4


def test_what_another_finished_is_known_and_what_it_failed_is_free_again(shared, join):
    (_, one), (_, two) = join(shared), join(shared)
    done, failed = one.next(), one.next()
    others = drain(two)
    one.complete(done.number, 0.5)
    one.fail(failed.number, "no circle", "trace")

    (refill,) = drain(two)
    assert refill.number == 4
    assert drain(one) == []
    for trial in [*others, refill]:
        two.complete(trial.number, 0.4)
    assert one.is_done
    assert two.is_done
    assert [r.state for r in one.records()].count("complete") == 4


def test_failed_trials_that_two_drivers_give_another_go_have_it_once(shared, join):
    leaving, before = join(shared)
    failed, *others = drain(before)
    before.fail(failed.number, "no circle", "trace")
    for trial in others:
        before.complete(trial.number, 0.5)
    leaving.close()
    _, one = join(shared, retries_failed=True)
    _, two = join(shared, retries_failed=True)

    (retry,) = drain(one)
    assert (retry.config.digest, retry.number) == (failed.config.digest, 4)
    assert drain(two) == []
    one.complete(retry.number, 0.6)
    assert drain(two) == []
    assert one.is_done
    assert two.is_done
    assert [record.retry_of for record in two.records()] == [None] * 4 + [failed.number]


def test_a_driver_that_lost_its_lock_decides_nothing_more(shared, join):
    crew, ledger = join(shared)
    scheduled = ledger.next()
    killer = SharedDriver(shared, may_join=True)
    pid = crew._session.ask("select pg_backend_pid()")[0][0]
    killer._session.ask("select pg_terminate_backend(%s)", pid)

    with pytest.raises(SweepError, match="lost the database session that holds this driver's lock"):
        ledger.complete(scheduled.number, 0.5)
    killer.close()
    (taken,) = [trial for trial in drain(join(shared)[1]) if trial.number == scheduled.number]
    assert taken == scheduled


def test_the_password_is_written_nowhere(shared, join, storage, tmp_path):
    join(shared)  # there is a ledger, whichever test comes first
    with pytest.raises(Exception, match="PGPASSWORD"):
        type(shared.record)(
            name="two",
            space_text="",
            data="d",
            data_digest="d",
            target=1,
            storage=storage.replace("@", f":{postgres.PASSWORD}@"),
        )
    sweep_status(shared)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or postgres.PASSWORD.encode() not in file.read_bytes()


def test_of_two_real_drivers_one_is_killed_and_the_other_finishes_its_trials(
    drive, storage, tmp_path
):
    options = ("--storage", storage, "--mlflow", "local", "--concurrent", 2)
    first = drive("one", 8, *options, step_s=1.2)
    first.wait_for_steps(2)
    refused = drive("one", 8, *options)
    second = drive("one", 8, *options, "--join", step_s=0.2)
    assert "held by process" in refused.finish()[2]
    first.wait_for_sessions(2)
    assert first.process.poll() is None
    first.process.send_signal(signal.SIGKILL)
    first.finish()
    status, outcome, error = second.finish(180)

    assert (status, error) == (0, "")
    assert (outcome["complete"], outcome["running"]) == (8, 0)
    told = sweep_status(load_sweep(tmp_path, "one")).trials
    assert [trial.number for trial in told] == list(range(8))
    assert len({trial.digest for trial in told}) == 8
    engine.assert_each_step_once_but_after_a_checkpoint(engine.steps_of(second), most_repeats=2)
    runs, parent = engine.child_runs(tmp_path, "one")
    assert runs == dict.fromkeys(range(8), ("FINISHED", list(range(1, 9))))
    assert parent == "FINISHED"
    secret = postgres.PASSWORD.encode()
    assert not any(secret in f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())


def test_a_server_that_cannot_be_reached_is_one_error_and_waits_for_no_answer(new_sweep):
    folder = new_sweep(storage="postgresql://127.0.0.1:9/x")
    says = r"127\.0\.0\.1:9/x: the ledger cannot be used \(.*[Cc]onnection refused"
    with pytest.raises(SweepError, match=says), acquire(folder):
        raise AssertionError("acquired")
    with pytest.raises(SweepError, match=says):
        sweep_status(folder)


def test_a_study_that_is_gone_from_the_server_is_not_begun_again(shared, join):
    crew, ledger = join(shared)
    shared.trial_folder(ledger.next().number).mkdir(parents=True)
    ledger.close()
    crew.close()
    delete_study(shared.storage_url, shared.study_name)

    with pytest.raises(SweepError, match=r"missing or empty, but .* holds 1 trial;"):
        sweep_status(shared)
    with acquire(shared) as drivers, pytest.raises(SweepError, match="missing or empty"):
        open_ledger(shared, drivers)


def test_a_copy_of_a_sweep_does_not_drive_the_originals_study(shared, tmp_path):
    record = checked_home(shared.root, shared.record)
    original = shared.with_record(record)
    assert checked_home(original.root, original.record) == original.record
    copied = tmp_path / "copy" / "one"
    shutil.copytree(original.root, copied)
    copy = load_sweep(copied.parent, "one")
    with pytest.raises(SweepError, match=f"is a copy of {original.root}, and both would write to"):
        checked_home(copied, copy.record)

    original.root.rename(tmp_path / "elsewhere")
    assert checked_home(copied, copy.record).home == str(copied)
    (tmp_path / "link").symlink_to(copied.parent)
    driven = copy.with_record(checked_home(copied, copy.record))
    assert checked_home(tmp_path / "link" / "one", driven.record).home.startswith(str(tmp_path))


def test_the_database_of_a_new_study_is_checked_without_a_trace(storage):
    with engine_of(storage) as base:
        before = set(sqlalchemy.inspect(base).get_table_names())
        check_ledger(storage)
        assert set(sqlalchemy.inspect(base).get_table_names()) == before
        with base.begin() as connection:
            connection.execute(sqlalchemy.text("create table latest_metrics (a int)"))
        try:
            with pytest.raises(SweepError, match="is MLflow's database"):
                check_ledger(storage)
        finally:
            with base.begin() as connection:
                connection.execute(sqlalchemy.text("drop table latest_metrics"))


@contextmanager
def engine_of(url):
    engine = sqlalchemy.create_engine(sqlalchemy_url(url))
    yield engine
    engine.dispose()
