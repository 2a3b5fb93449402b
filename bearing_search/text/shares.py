"""Shares as percentages."""

import math


def share_text(value: float) -> str:
    """`1.5 %`, rounded up: an upper bound must not look better than it is; NaN: `unknown`."""
    if math.isnan(value):
        return "unknown"
    digits = 1 if value >= 0.1 else 2
    rounded = math.ceil(value * 100 * 10**digits - 1e-9) / 10**digits
    return f"{rounded:g} %"
