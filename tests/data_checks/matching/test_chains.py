"""Two copies of one photograph are copies of each other, too."""

import numpy as np

from bearing_search.data_checks.matching.chains import chained
from bearing_search.data_checks.matching.comparison import Match


def copy(first: int, second: int, shift: float) -> Match:
    warp = np.eye(3)
    warp[0, 2] = shift
    return Match(
        first=first,
        second=second,
        levels=(0, 0),
        warp=warp,
        agreement=1.0,
        share=1.0,
        is_copy=True,
    )


def asked_about(copies):
    """Pairs that are compared, and the shift between them."""
    asked = []

    def compared(one, other, warp):
        asked.append((one, other, float(warp[0, 2])))
        return []

    assert list(chained(copies, compared)) == []
    return asked


def test_the_ends_of_a_chain_are_compared_by_its_warps():
    assert asked_about([copy(0, 1, 5), copy(2, 1, 3)]) == [(0, 2, 2.0)]


def test_pairs_that_are_known_are_not_compared_again():
    assert asked_about([copy(0, 1, 5), copy(1, 2, 3), copy(0, 2, 8)]) == []


def test_a_long_chain_ends():
    links = [copy(at, at + 1, 1) for at in range(5)]
    assert [pair[:2] for pair in asked_about(links)] == [
        (0, 2),
        (0, 3),
        (1, 3),
        (1, 4),
        (2, 4),
        (2, 5),
        (3, 5),
    ]
