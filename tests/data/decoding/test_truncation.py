import cv2
import numpy as np
import pytest

from bearing_search.data.decoding.truncation import is_truncated
from bearing_search.data.samples import read_image
from bearing_search.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 90), dtype=np.uint8)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, PIXELS)[1].tobytes()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_a_whole_file_is_whole_and_every_shorter_one_is_not(suffix):
    content = encoded(suffix)
    assert not is_truncated(content)
    lengths = {12, len(content) // 3, len(content) // 2, len(content) - 1}
    assert all(is_truncated(content[:length]) for length in lengths)


def test_bytes_after_the_end_do_no_harm():
    assert not is_truncated(encoded(".png") + b"trailing")
    assert not is_truncated(encoded(".jpg") + b"\0\0\0")


def test_the_end_marker_of_a_thumbnail_is_not_the_end_of_the_picture():
    picture, thumbnail = encoded(".jpg"), b"\xff\xd8small\xff\xd9"
    segment = b"\xff\xe1" + (2 + len(thumbnail)).to_bytes(2, "big") + thumbnail
    content = picture[:2] + segment + picture[2:]
    assert not is_truncated(content)
    assert is_truncated(content[:-10])


def test_other_formats_are_left_to_their_decoder():
    assert not is_truncated(encoded(".tif")[:50])
    assert not is_truncated(b"")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_a_cut_off_picture_is_an_error_that_names_the_file_and_prints_nothing(
    tmp_path, capfd, suffix
):
    file = tmp_path / f"half{suffix}"
    file.write_bytes(encoded(suffix)[:-40])
    with pytest.raises(DataError, match=f"half{suffix}: is truncated"):
        read_image(file)
    assert capfd.readouterr().err == ""
