"""Is a picture lit as the training pictures were? Scores of pictures that are not mean nothing."""

from collections.abc import Mapping

LEAST_MARGIN = 8.0
"""Grey levels that a mean may always lie outside the range of the training samples."""


def light_range(normal: Mapping[str, tuple[float, ...]]) -> tuple[float, float] | None:
    """Lowest and highest mean grey level that is judged; None: the detector knows no range.

    The range of the normal training samples, widened on both sides by half of its width (with 50
    normally distributed ones, to 4.5 standard deviations from their mean), but at most half way
    to black and to white.

    Args:
        normal: quantiles over normal samples, as `PartFacts.normal`.
    """
    known = normal.get("brightness")
    if not known:
        return None
    lowest, highest = known[0], known[-1]
    margin = max(LEAST_MARGIN, (highest - lowest) / 2)
    return max(lowest - margin, lowest / 2), min(highest + margin, (highest + 255) / 2)


def light_flaw(brightness: float, normal: Mapping[str, tuple[float, ...]]) -> str:
    """Why a sample cannot be judged by its light; empty: it can.

    Args:
        brightness: mean grey level of the first channel in the region of interest.
        normal: as for `light_range`.
    """
    limits = light_range(normal)
    if limits is None or limits[0] <= brightness <= limits[1]:
        return ""
    known = normal["brightness"]
    return (
        f"mean grey level {brightness:.0f}, far outside the {known[0]:.0f} to {known[-1]:.0f} of "
        "the training samples; restore the light, or train with pictures like this one"
    )
