import hashlib

import numpy as np
import pytest

from bearing_search.filesystem.digest import (
    sha256_of_arrays,
    sha256_of_file,
    sha256_of_json,
    sha256_of_text,
)


def plain(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_texts_and_files_have_the_digest_that_sha256sum_prints(tmp_path):
    assert sha256_of_text("abc").startswith("ba7816bf8f01cfea414140de5dae2223")  # FIPS 180-4
    assert sha256_of_text("링") == plain(b"\xeb\xa7\x81")
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "a") == sha256_of_text("abc")


def test_json_is_sorted_compact_and_ascii():
    value = {"b": 1.0, "a": [1, True, None, "링"], "c": {"z": 2e-5, "y": {}}}
    text = b'{"a":[1,true,null,"\\ub9c1"],"b":1.0,"c":{"y":{},"z":2e-05}}'
    assert sha256_of_json(value) == plain(text)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_refused(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        sha256_of_json({"a": number})


def test_arrays_count_by_label_and_bytes_in_order():
    one, two = np.array([[1, 2], [3, 4]], np.uint8), np.array([True, False])
    expected = plain(b"one\x01\x02\x03\x04two\x01\x00")
    assert sha256_of_arrays([("one", one), ("two", two)]) == expected
    assert sha256_of_arrays([("two", two), ("one", one)]) != expected


def test_memory_layout_does_not_count():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for same in (np.asfortranarray(array), np.repeat(array, 2, axis=2)[:, :, ::2]):
        assert sha256_of_arrays([("", same)]) == sha256_of_arrays([("", array)])
    assert sha256_of_arrays([("", array.transpose())]) != sha256_of_arrays([("", array)])


def test_arrays_without_content_or_shape_have_digests_too():
    assert sha256_of_arrays([("a", np.zeros((0, 3)))]) == plain(b"a")
    assert sha256_of_arrays([("a", np.array(7, np.uint8))]) == plain(b"a\x07")
