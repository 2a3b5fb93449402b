"""Copies of copies: two that are one photograph with a third are compared with each other, too."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bearing_search.data_checks.matching.comparison import Match
from bearing_search.data_checks.matching.images.registration import Warp

_LONGEST = 3
"""Steps from one copy to the next over which they can still be laid over each other."""


def chained(
    copies: Sequence[Match], compared: Callable[[int, int, Warp], list[Match]]
) -> Iterator[Match]:
    """Further matches between pictures that several copies link, by the warps of those.

    Args:
        compared: two pictures and the warp between them -> a match, if they are one.
    """
    links: dict[int, dict[int, Warp]] = defaultdict(dict)
    for one in copies:
        links[one.first][one.second] = one.warp
        links[one.second][one.first] = np.linalg.inv(one.warp)
    for start in sorted(links):
        reached: dict[int, Warp] = {start: np.eye(3)}
        steps = deque([(start, 0)])
        while steps:
            item, length = steps.popleft()
            for other, warp in sorted(links[item].items(), key=lambda one: one[0]):
                if other not in reached and length < _LONGEST:
                    reached[other] = warp @ reached[item]
                    steps.append((other, length + 1))
        for other, warp in reached.items():
            if start < other and other not in links[start]:
                yield from compared(start, other, warp)
