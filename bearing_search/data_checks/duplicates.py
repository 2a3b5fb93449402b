"""Near copies in an album: turned, mirrored, lit anew, recompressed or slightly cropped images.

Hashes propose and alignment places. What decides is what remains once the scene that several
images share is taken away: photographs of different parts before one fixed background differ in
nothing else.

Axis letters: s side of a thumbnail.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from bearing_search.data_checks.alignment import (
    SATURATED,
    Overlay,
    agreement,
    coarse_warp,
    fine_warp,
    overlay,
    tone_match,
)
from bearing_search.data_checks.thumbnail import turned
from bearing_search.data_checks.thumbnail_index import Proposal, ThumbnailIndex

HASH_FROM = 0.7
"""Correlation of two hashes from which an alignment is tried."""

SCENE_FROM = 0.5
"""Agreement of an aligned pair from which the alignment is believed."""

MATE_FROM = 0.7
"""Correlation of fine structure, as the images lie, from which they show one fixed scene."""

COPY_FROM = 0.1
"""Agreement of what is left of two images that makes them one."""

LONE_COPY_FROM = 0.9
"""The same in a part of so few samples that nobody knows what its images share anyway."""

NEARER_BY = 0.5
"""Where few others show the scene: how much of the way from them to full agreement a copy goes."""

PHOTOGRAPH_FROM = 0.985
"""Share of brightness in common from which two images are one photograph. Below it, the same
thing was photographed again. Measured: copies from .993, tiles photographed again up to .970."""

_PROPOSED = 12
_PROPOSED_PER_ORIENTATION = 4
_VERIFIED = 3
_MATES_FROM = 4
_MATES_MOST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class NearCopy:
    """Two samples whose images show the same thing."""

    first: int
    """Position of the sample that was asked about."""

    second: int
    levels: tuple[int, int]
    """Which brightness of each."""

    orientation: int
    """How `first` is turned to lie over `second` (see `turned`)."""

    agreement: float
    """Of what is theirs alone, in [COPY_FROM, 1]."""

    tone: float
    """Share of brightness in common, in [0, 1]."""

    @property
    def is_one_photograph(self) -> bool:
        """Whether one is a copy of the other, not another photograph of the same thing."""
        return self.tone >= PHOTOGRAPH_FROM


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A thumbnail of the sample that is asked about, laid over one of another sample."""

    proposal: Proposal
    moving: Float32[np.ndarray, "s s"]
    warp: Float32[np.ndarray, "2 3"]
    agreement: float


def near_copies(index: ThumbnailIndex, owner: int, others: Collection[int]) -> list[NearCopy]:
    """Which of the other samples show what this one shows, the most alike first."""
    proposals = index.proposals(
        owner, least=HASH_FROM, most=_PROPOSED, most_per_orientation=_PROPOSED_PER_ORIENTATION
    )
    frames: dict[int, list[_Frame]] = defaultdict(list)
    for proposal in proposals:
        frame = _laid_over(index, proposal)
        if frame.agreement >= SCENE_FROM:
            frames[proposal.orientation].append(frame)
    best: dict[int, NearCopy] = {}
    for alike in frames.values():
        for copy in _copies_in_orientation(index, alike, owner, others):
            known = best.get(copy.second)
            if known is None or copy.agreement > known.agreement:
                best[copy.second] = copy
    return sorted(best.values(), key=lambda copy: -copy.agreement)


def _laid_over(index: ThumbnailIndex, proposal: Proposal) -> _Frame:
    moving = turned(index.image(proposal.asked), proposal.orientation)
    warp, score = coarse_warp(index.image(proposal.item), moving)
    return _Frame(proposal=proposal, moving=moving, warp=warp, agreement=score)


def _copies_in_orientation(
    index: ThumbnailIndex, frames: Sequence[_Frame], owner: int, others: Collection[int]
) -> Iterator[NearCopy]:
    """Those that were proposed, and those that show the same scene as the best of them."""
    best = max(frames, key=lambda frame: frame.agreement)
    warp = fine_warp(index.image(best.proposal.item), best.moving, best.warp)
    seen = overlay(best.moving, warp)
    mates = index.alike(seen.structure, owner, least=MATE_FROM)
    tried = [(best, item) for item in mates if int(index.owners[item]) in others]
    tried = _closest(index, seen, tried, mates)
    tried += [(frame, frame.proposal.item) for frame in frames]
    for frame, item in tried:
        other = int(index.owners[item])
        if other in others:
            scene = [mate for mate in mates if int(index.owners[mate]) != other]
            copy = _compared(index, frame, item, scene)
            if copy is not None:
                yield copy


def _compared(
    index: ThumbnailIndex, frame: _Frame, item: int, scene: Sequence[int]
) -> NearCopy | None:
    """The two as a pair, if they agree where the others of the scene do not."""
    target = index.image(item)
    laid = overlay(frame.moving, fine_warp(target, frame.moving, frame.warp))
    score = _plain(index, laid, item)
    if score < COPY_FROM:
        return None
    if len(scene) >= _MATES_FROM:
        score, least = _left_over(index, laid, item, scene[:_MATES_MOST]), COPY_FROM
    else:
        least = _least_among_few(index, frame, scene)
    if score < least:
        return None
    asked = frame.proposal.asked
    return NearCopy(
        first=int(index.owners[asked]),
        second=int(index.owners[item]),
        levels=(int(index.levels[asked]), int(index.levels[item])),
        orientation=frame.proposal.orientation,
        agreement=score,
        tone=tone_match(laid.image, target, laid.covers),
    )


def _closest(
    index: ThumbnailIndex,
    seen: Overlay,
    tried: list[tuple[_Frame, int]],
    mates: Sequence[int],
) -> list[tuple[_Frame, int]]:
    """The few that are worth comparing, by what is left of them without the scene."""
    if len(tried) <= _VERIFIED:
        return tried
    scene = np.mean([index.structure(item) for item in mates[:_MATES_MOST]], axis=0)
    left = (seen.structure - scene) * seen.covers
    values = []
    for _, item in tried:
        other = (index.structure(item) - scene) * seen.covers
        values.append(float((left * other).sum()) / max(float(np.linalg.norm(other)), 1e-6))
    return [tried[index] for index in np.argsort(values)[::-1][:_VERIFIED]]


def _plain(index: ThumbnailIndex, laid: Overlay, item: int) -> float:
    covers = laid.covers & (index.image(item) < SATURATED)
    return agreement(laid.structure, index.structure(item), covers)


def _least_among_few(index: ThumbnailIndex, frame: _Frame, scene: Sequence[int]) -> float:
    """From which agreement two are copies where too few others show the scene to take it away.

    A copy comes much nearer to full agreement than any of the others does.
    """
    if not scene:
        return COPY_FROM if index.num_samples - 2 >= _MATES_FROM else LONE_COPY_FROM
    strangers = []
    for mate in scene:
        warp = fine_warp(index.image(mate), frame.moving, frame.warp)
        strangers.append(_plain(index, overlay(frame.moving, warp), mate))
    stranger = max(0.0, *strangers)
    return max(COPY_FROM, stranger + NEARER_BY * (1 - stranger))


def _left_over(index: ThumbnailIndex, laid: Overlay, item: int, scene: Sequence[int]) -> float:
    """Agreement without the scene, as the others show it.

    They are laid over the image first, where it makes a difference: a part that lies half a pixel
    aside differs from all others at every edge.
    """
    score = _without(index, laid, item, [index.structure(mate) for mate in scene])
    if score < COPY_FROM:
        return score
    return _without(index, laid, item, [_placed(index, mate, item) for mate in scene])


def _without(
    index: ThumbnailIndex, laid: Overlay, item: int, scene: Sequence[Float32[np.ndarray, "s s"]]
) -> float:
    """Each of the two loses the mean of other images: one and the same would be common to both."""
    first = laid.structure - np.mean(scene[0::2], axis=0)
    second = index.structure(item) - np.mean(scene[1::2], axis=0)
    return agreement(first, second, laid.covers & (index.image(item) < SATURATED))


def _placed(index: ThumbnailIndex, mate: int, item: int) -> Float32[np.ndarray, "s s"]:
    moving = index.image(mate)
    start = np.eye(2, 3, dtype=np.float32)
    return overlay(moving, fine_warp(index.image(item), moving, start)).structure
