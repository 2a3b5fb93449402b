"""Human-readable durations."""


def format_duration(seconds: float, *, rounded: bool = False) -> str:
    """A duration as `3:20` or `1:02:05`; rounded: `45 s`, `31 min`, `5.2 h` or `3.5 d`."""
    if not rounded:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} d"
