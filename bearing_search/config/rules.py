"""What all configs share: unknown keys are refused, impossible values fail at birth."""

from pydantic import ConfigDict

STRICT_KEYS = ConfigDict(extra="forbid")


def require(is_satisfied: bool, message: str) -> None:
    """Raise ValueError with the message, which quotes the value, unless satisfied."""
    if not is_satisfied:
        raise ValueError(message)
