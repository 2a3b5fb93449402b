import json
import os
import stat
import threading
from pathlib import Path

import pytest

from bearing_search.filesystem.atomic import replacing, write_atomically, write_json


@pytest.fixture
def synced(monkeypatch) -> list[str]:
    """Names of the files and folders that were forced to the disk, in order."""
    names = []

    def fsync(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    return names


@pytest.fixture
def no_umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_readers_see_the_old_content_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "a.bin"
    write_atomically(file, b"old")
    with replacing(file) as stream:
        stream.write(b"new")
        stream.flush()
        assert file.read_bytes() == b"old"
        [unfinished] = set(tmp_path.iterdir()) - {file}
        assert unfinished.match(".*.tmp")  # what readers of folders pass over
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_content_and_nothing_beside_it(tmp_path, error):
    file = tmp_path / "a.bin"
    write_atomically(file, b"old")

    def fail() -> None:
        with replacing(file) as stream:
            stream.write(b"ne")
            raise error

    with pytest.raises(error):
        fail()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_two_writers_of_one_process_do_not_share_a_temporary_file(tmp_path):
    file = tmp_path / "a.bin"
    with replacing(file) as one, replacing(file) as other:
        one.write(b"1111")
        other.write(b"22")
    assert file.read_bytes() == b"1111"  # the last one to end


def test_threads_that_write_the_same_file_leave_one_whole_content(tmp_path):
    file = tmp_path / "a.bin"
    contents = [bytes([65 + number]) * 100_000 for number in range(4)]
    failures = []

    def write(content: bytes) -> None:
        try:
            for _ in range(20):
                write_atomically(file, content)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert file.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files")
def test_only_durable_content_waits_for_the_disk(tmp_path, synced):
    write_atomically(tmp_path / "a.bin", b"a")
    assert synced == []
    write_atomically(tmp_path / "a.bin", b"a", durable=True)
    content, folder = synced
    assert content.startswith(".a.bin.")  # before it takes the name
    assert folder == tmp_path.name


def test_content_follows_the_umask_and_json_is_for_everybody_to_read(tmp_path, no_umask):
    write_atomically(tmp_path / "a.bin", b"a")
    write_json(tmp_path / "a.json", {})
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.bin", "a.json")]
    assert modes == [0o640, 0o644]


def test_json_is_indented_utf8_with_a_newline_at_the_end(tmp_path):
    file = tmp_path / "a.json"
    write_json(file, {"ring": "링", "b": [1]})
    assert file.read_bytes() == '{\n  "ring": "링",\n  "b": [\n    1\n  ]\n}\n'.encode()
    with pytest.raises(TypeError):
        write_json(file, {"ring": object()})
    assert json.loads(file.read_bytes())["ring"] == "링"
    assert list(tmp_path.iterdir()) == [file]
