"""Brightness levels -> the three channels that the encoder sees.

Axis letters: n levels; h, w rows and columns; c colours. Source: paper, section 3.1; the handling
of fewer or more levels and of colour is our choice.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from bearing_search.config.preprocess import Channel
from bearing_search.errors import DataError
from bearing_search.preprocess.contrast import grey

MOST_LEVELS = 3
"""An image has three channels."""


def fuse(
    levels: Sequence[UInt8[np.ndarray, "h w ..."]],
    *,
    mid_level: bool,
    channels: Sequence[Channel] = (),
) -> UInt8[np.ndarray, "h w 3"]:
    """Stack brightness levels as channels.

    Three levels give b0, b1, b2, or with `mid_level` b0, mean(b0, b1), b1. Two give b0, their
    mean, b1. One grey level is repeated; one colour level keeps its colours. Several colour levels
    are converted to grey: there are only three channels, and the paper's images are grey.

    Args:
        levels: brightness 0 first, of one size; more than three only with `channels`.
        mid_level: ignore brightness 2, which shows nothing; the mean of the others is the middle.
        channels: levels, or statistics over all levels, to use as channels instead; one is
            repeated, two get their mean in between. Ignored with a single level.

    Raises:
        ValueError: there are more than three levels and no channels are chosen.
    """
    if len(levels) == 1:
        only = levels[0]
        return only if only.ndim == 3 else np.repeat(only[..., None], 3, axis=2)
    plain = [grey(level) for level in levels]
    if channels:
        chosen = [_channel(plain, channel) for channel in channels]
        if len(chosen) == 1:
            return np.stack(3 * chosen, axis=2)
        if len(chosen) == 2:
            chosen.insert(1, _mean(*chosen))
        return np.stack(chosen, axis=2)
    if len(plain) == 2 or mid_level:
        return np.stack([plain[0], _mean(plain[0], plain[1]), plain[1]], axis=2)
    if len(plain) > MOST_LEVELS:
        raise ValueError(f"{len(plain)} levels without a choice of channels")
    return np.stack(plain, axis=2)


def check_levels(part: str, num_levels: int, channels: Sequence[Channel]) -> None:
    """Check that a part's levels can become channels.

    Raises:
        DataError: it has more levels than channels and none are chosen, or lacks a chosen one.
    """
    if num_levels > MOST_LEVELS and not channels:
        raise DataError(
            f"{part}: has {num_levels} brightness levels, but an image has three channels. Set "
            f"preprocess.levels to level numbers, such as [0, 1, {num_levels - 1}], or to "
            "statistics over all levels (mean, max, std, ratio), such as [mean, std, ratio]."
        )
    wanted = max((one for one in channels if isinstance(one, int)), default=0)
    if 1 < num_levels <= wanted:
        raise DataError(
            f"{part}: has brightness levels 0 to {num_levels - 1}, but preprocess.levels names "
            f"{wanted}. Change preprocess.levels."
        )


def _channel(
    levels: Sequence[UInt8[np.ndarray, "h w"]], channel: Channel
) -> UInt8[np.ndarray, "h w"]:
    """One level, or a statistic over each pixel's levels: mean, maximum, twice the standard
    deviation (clipped to 255), or 255 times minimum over maximum (255 where all are equal)."""
    if isinstance(channel, int):
        return levels[channel]
    stack: Float32[np.ndarray, "n h w"] = np.stack(levels).astype(np.float32)
    match channel:
        case "mean":
            found = stack.mean(axis=0)
        case "max":
            found = stack.max(axis=0)
        case "std":
            found = 2 * stack.std(axis=0)
        case "ratio":
            most = stack.max(axis=0)
            found = 255 * np.where(most > 0, stack.min(axis=0) / np.maximum(most, 1), 1)
    fused: UInt8[np.ndarray, "h w"] = np.rint(found).clip(0, 255).astype(np.uint8)
    return fused


def _mean(
    first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w"]:
    mean: UInt8[np.ndarray, "h w"] = cv2.addWeighted(first, 0.5, second, 0.5, 0.0)
    return mean
