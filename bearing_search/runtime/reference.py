"""What normal samples were like when a detector was exported, to compare pictures of today with."""

from dataclasses import dataclass

MOST_SAMPLES = 500
"""Samples that are kept of each kind; more would hardly narrow an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalSample:
    """A normal sample as the exported detector sees it. Lengths are in pixels of the original."""

    brightness: float
    """Mean grey level of the first channel in the region of interest."""

    score: float | None = None
    """Of a sample that the model has not seen; None: it was trained on it."""

    size_px: float | None = None
    """Radius or half major axis; None: the part is used whole."""

    centre: tuple[float, float] | None = None
    """x and y of the circle or ellipse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalReference:
    """Normal training samples of one part."""

    samples: tuple[NormalSample, ...]
    """With a region of interest: at most `MOST_SAMPLES` with a score, and as many without."""

    num_roi: int
    """Normal samples with a region of interest."""

    num_no_roi: int
    """Normal samples without one."""


def thinned(samples: list[NormalSample]) -> tuple[NormalSample, ...]:
    """The samples, at most `MOST_SAMPLES` with and as many without a score, evenly spaced."""
    scored = [one for one in samples if one.score is not None]
    others = [one for one in samples if one.score is None]
    return (*_spaced(scored), *_spaced(others))


def _spaced(samples: list[NormalSample]) -> list[NormalSample]:
    count = len(samples)
    if count <= MOST_SAMPLES:
        return samples
    return [samples[number * count // MOST_SAMPLES] for number in range(MOST_SAMPLES)]
