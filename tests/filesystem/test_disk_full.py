import errno

from bearing_search.filesystem.disk_full import is_disk_full


def test_a_full_disk_is_found_among_the_causes_of_an_error():
    full = OSError(errno.ENOSPC, "No space left on device")
    error = RuntimeError("cannot save")
    error.__cause__ = full
    assert is_disk_full(error)
    assert not is_disk_full(RuntimeError("cannot save"))


def test_errors_that_caused_each_other_are_looked_at_once():
    first, second = RuntimeError("one"), RuntimeError("two")
    first.__cause__, second.__context__ = second, first
    assert not is_disk_full(first)
