"""Settings and seeds of a trial in a few words, for tables and progress bars."""

import json
from collections.abc import Mapping
from typing import Any

from bearing_search.trial_history.records import COUNTED, TrialPurpose


def value_text(value: Any) -> str:
    """A setting's value as text, floats to four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def settings_text(suggestion: Mapping[str, Any]) -> str:
    """A suggestion in one line, each setting by its name without the section."""
    return " ".join(
        f"{path.rpartition('.')[2]}={value_text(value)}" for path, value in suggestion.items()
    )


def seed_text(seed: int, purpose: TrialPurpose) -> str:
    """` seed=2 (audit)` for a trial that runs a setting again; empty for the others."""
    return "" if purpose in COUNTED else f" seed={seed} ({purpose})"
