"""Samples that no line delivers on purpose: black, saturated, without a ring, noise. No torch.

Axis letters: h w pixels, s side of the input, m side of the map, f inputs of a sample.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from bearing_search.runtime.detector import Detector
from bearing_search.runtime.preparing import Prepared
from bearing_search.runtime.verdict import SampleLevels, Verdict

KINDS = ("black", "saturated", "no ring", "noise")


def adversarial_samples(
    detector: Detector, part: str, size: tuple[int, int], like: Sequence[Prepared]
) -> Iterator[Prepared | Verdict]:
    """Each kind as a photograph of the part, and as what its region of interest would hold.

    Args:
        detector: cuts out the region of interest.
        part: one of its parts.
        size: height and width of the part's photographs.
        like: a sample of the part, whose region of interest the second ones have; empty: left out.
    """
    count = detector.part_facts(part).num_levels or 1
    for kind in KINDS:
        levels = [drawn(kind, size, seed=level) for level in range(count)]
        yield detector.prepare(SampleLevels(part=part, levels=levels, name=f"{kind} picture"))
    for one in like:
        for kind in KINDS:
            _, *shape = one.inputs.shape
            pixels = np.stack([drawn(kind, shape, seed=seed) for seed in range(len(one.inputs))])
            yield replace(one, name=f"{kind} crop", inputs=pixels)


def drawn(kind: str, shape: Sequence[int], *, seed: int) -> UInt8[np.ndarray, "h w *c"]:
    """A picture of one of `KINDS`; always the same for the same arguments."""
    shape = tuple(shape)
    match kind:
        case "black":
            return np.zeros(shape, dtype=np.uint8)
        case "saturated":
            return np.full(shape, 255, dtype=np.uint8)
        case "no ring":  # a table in light from one side
            rows = np.linspace(60, 180, shape[0]).astype(np.uint8)
            return np.broadcast_to(rows.reshape(-1, *([1] * (len(shape) - 1))), shape).copy()
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
