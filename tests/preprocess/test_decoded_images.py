import os

import cv2
import numpy as np
import pytest

from bearing_search.data.samples import read_pages
from bearing_search.preprocess import decoded_images
from bearing_search.preprocess.decoded_images import RecentImages


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Three pictures of 100 bytes, and a list of those that were decoded."""
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        cv2.imwrite(str(file), np.full((10, 10), number, np.uint8))
    decoded, read = [], read_pages

    def counted(file, bits):
        decoded.append(file)
        return read(file, bits)

    monkeypatch.setattr(decoded_images, "read_pages", counted)
    return files, decoded


def test_what_the_first_pass_decoded_the_second_takes_once(pictures):
    (one, *_), decoded = pictures
    images = RecentImages()
    first = images.read(one)
    assert images.take(one) is first
    assert decoded == [one]
    assert (images.take(one) == first).all()
    assert decoded == [one, one]


def test_the_newest_are_kept_as_long_as_they_fit(pictures):
    files, decoded = pictures
    images = RecentImages(max_bytes=250)
    for file in files:
        images.read(file)
    decoded.clear()
    for file in files:
        images.take(file)
    assert decoded == [files[0]]


def test_an_altered_file_is_decoded_again(pictures):
    (one, *_), _ = pictures
    images = RecentImages()
    images.read(one)
    cv2.imwrite(str(one), np.full((10, 10), 99, np.uint8))
    os.utime(one, ns=(1, 1))
    assert images.take(one)[0, 0] == 99


def test_a_picture_that_is_kept_cannot_be_written_to(pictures):
    (one, *_), _ = pictures
    with pytest.raises(ValueError, match="read-only"):
        RecentImages().read(one)[0, 0] = 5
