import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from bearing_search.errors import ConfigError, ResourceError, SweepError
from bearing_search.filesystem.atomic import write_json
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.sweep.driver.session import StopRequest
from bearing_search.sweep.folder import sweep_folder
from bearing_search.sweep.folder.listing import list_sweeps
from bearing_search.sweep.folder.sweep_folder import create_sweep, load_sweep
from bearing_search.sweep.locking.lock import acquire, current_driver, join_sweep
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "../up", "a/b", "a\\b", "/abs", "-n", "a b", "cache", "x" * 99],
)
def test_a_name_that_is_no_folder_name_is_refused(name, new_sweep, tmp_path):
    with pytest.raises(ConfigError, match="not a valid sweep name"):
        new_sweep(name=name)
    with pytest.raises(ConfigError, match="not a valid sweep name"):
        load_sweep(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_what_resume_needs_is_read_back_as_it_was_written(new_sweep, tmp_path):
    made = new_sweep(name="링-1", folds=3, pruner="median", resources=Resources(gpus_per_trial=0.5))

    read = load_sweep(tmp_path, "링-1")

    assert read == made
    assert read.space().trial({}).split.folds == 3


def test_a_name_is_taken_once_and_the_folder_left_as_it_was(new_sweep, tmp_path):
    new_sweep(target=3)

    with pytest.raises(SweepError, match="continue it with `resume one`"):
        new_sweep(target=9)
    assert load_sweep(tmp_path, "one").record.target == 3


def test_an_empty_folder_left_by_a_kill_does_not_block_its_name(new_sweep, tmp_path):
    (tmp_path / "one").mkdir()

    assert new_sweep().root == tmp_path / "one"


def test_a_sweep_that_does_not_exist_is_answered_with_the_closest_name(new_sweep, tmp_path):
    with pytest.raises(SweepError, match="existing: none"):
        load_sweep(tmp_path / "nowhere", "rings")
    new_sweep(name="rings-1")
    with pytest.raises(SweepError, match="did you mean rings-1"):
        load_sweep(tmp_path, "ring-1")


def test_sweeps_are_listed_the_oldest_first(new_sweep, tmp_path):
    for age, name in [(30, "c"), (20, "a"), (10, "b")]:
        file = new_sweep(name=name).root / "sweep.json"
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime - age))
    (tmp_path / "no-sweep").mkdir()

    assert list_sweeps(tmp_path) == ["c", "a", "b"]


@pytest.mark.parametrize("content", ["", "{", '{"name": "one"}'])
def test_a_torn_sweep_json_is_one_clear_error(new_sweep, tmp_path, content):
    (new_sweep().root / "sweep.json").write_text(content)

    with pytest.raises(SweepError, match=r"sweep\.json: cannot be read"):
        load_sweep(tmp_path, "one")


def test_a_results_folder_that_cannot_be_written_is_a_lack_of_resources(tmp_path, fakes):
    (tmp_path / "file").write_text("")
    record = SweepRecord(name="one", space_text=fakes.SPACE, data="/d", data_digest="d", target=1)
    with pytest.raises(ResourceError, match="choose another --results"):
        create_sweep(tmp_path / "file", record)


def test_a_new_target_is_recorded_and_the_rest_kept(new_sweep, tmp_path):
    folder = new_sweep(target=3)

    folder.updated(SessionOptions(target=9, resources=Resources(concurrent=1)))

    read = load_sweep(tmp_path, "one").record
    assert read == replace(folder.record, target=9, resources=Resources(concurrent=1))


def test_who_joins_keeps_target_and_seeds_and_has_resources_that_nobody_records(
    new_sweep, tmp_path
):
    folder = new_sweep(target=3)
    for asked in (SessionOptions(target=4), SessionOptions(seeds=SeedPlan(audit=2))):
        with pytest.raises(SweepError, match="one: `--join` cannot change target or seeds; run"):
            join_sweep(folder, asked)

    joined = join_sweep(folder, SessionOptions(target=3, resources=Resources(concurrent=1)))

    assert joined.record == replace(folder.record, resources=Resources(concurrent=1))
    assert load_sweep(tmp_path, "one").record == folder.record


@pytest.fixture
def parsed(monkeypatch):
    """The texts of the spaces that sweep folders have parsed, one for each time."""
    texts = []

    def parse(text, source):
        texts.append(text)
        return parse_search_space(text, source)

    monkeypatch.setattr(sweep_folder, "parse_search_space", parse)
    return texts


def test_a_space_is_parsed_once_however_the_record_changes(new_sweep, tmp_path, parsed, fakes):
    new_sweep()
    assert parsed == [fakes.SPACE]

    folder = load_sweep(tmp_path, "one")
    assert parsed == [fakes.SPACE]
    space = folder.space()
    changed = folder.updated(SessionOptions(target=9)).with_allowed_leak(None)
    joined = join_sweep(changed, SessionOptions(resources=Resources(concurrent=1)))

    assert joined.space() is changed.space() is folder.space() is space
    assert parsed == [fakes.SPACE] * 2


def test_a_record_with_another_space_or_other_folds_has_a_space_of_its_own(new_sweep, fakes):
    folder = new_sweep(folds=3)
    before = folder.space()
    text = fakes.SPACE.replace("[1, 10]", "[1, 20]")

    for make in (folder.with_record, folder.with_unsaved, lambda new: replace(folder, record=new)):
        assert make(replace(folder.record, space_text=text)).space().text == text
        assert make(replace(folder.record, folds=4)).space().trial({}).split.folds == 4
    assert folder.space() is before


def test_a_space_that_was_parsed_already_is_taken_if_it_is_the_records_own(tmp_path, parsed, fakes):
    record = SweepRecord(name="one", space_text=fakes.SPACE, data="/d", data_digest="d", target=1)
    space = parse_search_space(fakes.SPACE, "space.yaml")

    assert create_sweep(tmp_path, record, space).space() is space
    assert parsed == []
    with pytest.raises(AssertionError):
        create_sweep(tmp_path, replace(record, name="two", space_text="base: {}"), space)


def test_a_changed_space_or_changed_data_is_refused_with_the_difference(new_sweep, fakes):
    folder = new_sweep()

    same = parse_search_space(f"# Another question\n{fakes.SPACE}", "same.yaml")
    folder.refuse_changes(space=same, data_digest="d1")
    wider = parse_search_space(fakes.SPACE.replace("[1, 10]", "[1, 20]"), "wider.yaml")
    with pytest.raises(SweepError, match="start a new sweep under another name") as error:
        folder.refuse_changes(space=wider)
    assert str(error.value).splitlines()[1:] == [
        "- vary.finetune.alternation_period: int [1, 10]",
        "+ vary.finetune.alternation_period: int [1, 20]",
    ]
    with pytest.raises(SweepError, match="data has changed"):
        folder.refuse_changes(data_digest="d2")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a.json"
    write_json(file, {"ring": "링"})

    with pytest.raises(TypeError):
        write_json(file, {"ring": object()})

    assert json.loads(file.read_text(encoding="utf-8")) == {"ring": "링"}


@pytest.mark.slow
def test_a_second_driver_is_told_who_holds_the_sweep(new_sweep):
    folder = new_sweep()
    code = (
        "import sys; from pathlib import Path\n"
        "from bearing_search.sweep.folder.sweep_folder import load_sweep\n"
        "from bearing_search.sweep.locking.lock import acquire\n"
        f"with acquire(load_sweep(Path({str(folder.root.parent)!r}), 'one')):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        who = rf"held by process {other.pid} on {socket.gethostname()}, since 20"
        with pytest.raises(SweepError, match=who), acquire(folder):
            raise AssertionError("two drivers")
        assert str(other.pid) in current_driver(folder)
        other.kill()
    assert current_driver(folder) == ""
    with acquire(folder):
        assert f"process {os.getpid()} " in current_driver(folder)


def test_a_stop_file_made_by_hand_stops_and_an_old_one_does_not(new_sweep):
    folder = new_sweep()
    folder.stop_file.touch()

    stop = StopRequest(folder)
    assert stop.reason == ""
    folder.stop_file.touch()
    assert stop.reason == "stop file"


def test_the_time_budget_stops_the_workers_too(new_sweep):
    folder = new_sweep()
    stop = StopRequest(folder, time_budget_s=0.0)

    assert stop.reason == "time budget"
    assert folder.stop_file.exists()


def test_gpu_hours_are_counted_over_all_trials_by_their_share(new_sweep, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stop = StopRequest(new_sweep(), gpu_budget_s=100.0)
    stop.count_gpus(0.5)
    stop.meter.begin(0)
    now[0] = 60.0
    stop.meter.end(0)  # 30 GPU seconds
    now[0] = 1000.0  # nothing held any
    stop.meter.begin(1)
    stop.meter.begin(2)
    now[0] += 69.0  # 2 * 34.5
    assert stop.meter.spent_s == 99.0
    assert stop.reason == ""
    now[0] += 2.0
    assert stop.reason == "GPU hours"


def test_gpu_hours_without_a_gpu_are_refused(new_sweep):
    with pytest.raises(ResourceError, match="use --time-budget"):
        StopRequest(new_sweep(), gpu_budget_s=100.0).count_gpus(0.0)
    StopRequest(new_sweep(name="two")).count_gpus(0.0)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://me:hush@host/db",
        "postgresql://me:a/hush@b@host/db",
        "postgresql://host/db?user=me&password=hush",
        "https://hush@host",
        "https://host/mlflow?api_key=hush",
    ],
)
@pytest.mark.parametrize("where", ["storage", "tracking_uri"])
def test_a_password_is_refused_before_it_is_written(new_sweep, tmp_path, where, uri):
    with pytest.raises(ConfigError, match=r"PGPASSWORD or ~/\.pgpass") as error:
        new_sweep(**{where: uri})
    assert "hush" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
