"""Copies get votes, and they agree on an angle."""

import numpy as np
import pytest

from bearing_search.data_checks.matching.images.keypoints import NO_KEYPOINTS, keypoints_of
from bearing_search.data_checks.matching.votes import VoteIndex
from tests.data_checks.conftest import SIDE, plate


@pytest.fixture(scope="module")
def index() -> VoteIndex:
    return VoteIndex([keypoints_of(plate(seed)) for seed in range(6)])


def asked(image: np.ndarray):
    return keypoints_of(np.ascontiguousarray(image))


def test_a_picture_votes_for_itself_upright(index):
    votes = index.votes(asked(plate(4)))
    assert votes.counts.argmax() == 4
    assert votes.is_upright[4]


def test_a_turned_picture_votes_for_its_original_at_another_angle(index):
    votes = index.votes(asked(np.rot90(plate(4))))
    assert votes.counts.argmax() == 4
    assert not votes.is_upright[4]
    others = np.delete(votes.counts, 4)
    assert votes.counts[4] > 5 * others.max()


def test_a_mirrored_picture_votes_for_its_original_once_it_is_mirrored_back(index):
    found = asked(plate(4)[:, ::-1])
    assert index.votes(found.mirrored(SIDE)).counts.argmax() == 4
    assert index.votes(found).counts[4] < index.votes(found.mirrored(SIDE)).counts[4] / 5


def test_pictures_without_keypoints_get_and_give_none(index):
    assert not index.votes(NO_KEYPOINTS).counts.any()
    mixed = VoteIndex([NO_KEYPOINTS, keypoints_of(plate(1))])
    assert mixed.votes(keypoints_of(plate(1))).counts[0] == 0
    assert not VoteIndex([NO_KEYPOINTS]).votes(keypoints_of(plate(1))).counts.any()


def test_votes_of_equal_pictures_are_equal():
    twice = VoteIndex([keypoints_of(plate(1)), keypoints_of(plate(1))])
    counts = twice.votes(keypoints_of(plate(1))).counts
    assert counts[0] == counts[1] > 100
