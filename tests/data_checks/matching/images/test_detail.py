"""One photograph, or one thing photographed twice: only the noise tells."""

import cv2
import numpy as np
import pytest

from bearing_search.data_checks.matching.images.compression import jpeg_quality
from bearing_search.data_checks.matching.images.detail import COPY_FROM, shared_detail

SIDE = 240
STILL = np.eye(3)


def thing(seed: int = 0) -> np.ndarray:
    """Fine texture, as of ground steel."""
    rng = np.random.default_rng(seed)
    coarse, fine = rng.normal(size=(2, SIDE, SIDE))
    smooth, grain = cv2.GaussianBlur(coarse, (0, 0), 6), cv2.GaussianBlur(fine, (0, 0), 1.2)
    return 120 + 200 * smooth + 30 * grain


def photograph(of: np.ndarray, seed: int, noise: float = 4.0) -> np.ndarray:
    rng = np.random.default_rng(1000 + seed)
    return np.clip(of + noise * rng.normal(size=of.shape), 0, 255).astype(np.uint8)


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [1, quality])[1], cv2.IMREAD_GRAYSCALE)


def turned(image: np.ndarray, angle: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The image turned about its middle, and the warp to it."""
    affine = cv2.getRotationMatrix2D(((SIDE - 1) / 2,) * 2, angle, scale)
    moved = cv2.warpAffine(image, affine, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    return moved, np.vstack([affine, [0, 0, 1]])


@pytest.mark.parametrize("quality", [None, 90, 60])
def test_a_relit_turned_and_compressed_copy_keeps_what_it_can(quality):
    original = photograph(thing(), 0)
    copy, warp = turned(original, 31, 0.9)
    copy = np.clip(255 * (copy / 255.0) ** 1.2 * 0.8 + 10, 0, 255).astype(np.uint8)
    copy = copy if quality is None else compressed(copy, quality)

    found = shared_detail(original, copy, warp, qualities=(None, quality))

    assert found.is_copy
    assert found.share > 0.85


def test_the_same_thing_photographed_twice_is_no_copy_although_its_greys_are_equal():
    first, second = photograph(thing(), 0), photograph(thing(), 1)
    # seen without the noise, the two are the same
    smooth = [cv2.GaussianBlur(image, (0, 0), 3).ravel().astype(float) for image in (first, second)]
    assert np.corrcoef(*smooth)[0, 1] > 0.99

    found = shared_detail(first, second, STILL, qualities=(None, None))

    assert not found.is_copy
    assert found.share < COPY_FROM - 0.1


def test_a_compressed_photograph_taken_again_is_not_excused_by_its_compression():
    first, second = photograph(thing(), 0, 8.0), compressed(photograph(thing(), 1, 8.0), 60)
    assert not shared_detail(first, second, STILL, qualities=(None, 60)).is_copy


def test_it_does_not_matter_which_is_the_original():
    original = photograph(thing(), 0)
    copy, warp = turned(original, 31, 0.9)
    copy = compressed(copy, 65)
    back = shared_detail(copy, original, np.linalg.inv(warp), qualities=(65, None))
    assert back.is_copy


def test_different_things_have_nothing_in_common():
    found = shared_detail(
        photograph(thing(0), 0), photograph(thing(1), 1), STILL, qualities=(None, None)
    )
    assert found.share < 0.1


def test_a_share_grows_with_certainty():
    """The more noise two photographs have of their own, the smaller is their share."""
    shares = [
        shared_detail(
            photograph(thing(), 0, noise),
            photograph(thing(), 1, noise),
            STILL,
            qualities=(None, None),
        ).share
        for noise in (2.0, 4.0, 8.0)
    ]
    assert shares[0] > shares[1] > shares[2]


@pytest.mark.parametrize("quality", [50, 60, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_read_from_its_file(quality, tmp_path):
    file = tmp_path / "a.jpg"
    cv2.imwrite(str(file), photograph(thing(), 0), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert jpeg_quality(file) == pytest.approx(quality, abs=1)


def test_other_files_have_no_quality(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), photograph(thing(), 0))
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xdb")
    assert jpeg_quality(tmp_path / "a.png") is None
    assert jpeg_quality(tmp_path / "b.jpg") is None
