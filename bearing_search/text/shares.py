"""Shares as percentages."""

import math


def share_text(value: float) -> str:
    """`1.5 %`; NaN: `unknown`."""
    return "unknown" if math.isnan(value) else f"{100 * value:.3g} %"


def bound_text(value: float) -> str:
    """An upper bound, rounded up: it must not look better than it is."""
    digits = 3 if value >= 0.1 else 4
    return f"{100 * math.ceil(value * 10**digits - 1e-9) / 10**digits:.3g} %"
