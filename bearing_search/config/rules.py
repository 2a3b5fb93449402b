"""What all configs share: unknown keys are refused, impossible values fail at birth."""

from pydantic import ConfigDict

STRICT_KEYS = ConfigDict(extra="forbid")


def require(is_satisfied: bool, message: str) -> None:
    """Refuse a config whose values do not go together.

    Raises:
        ValueError: with the message, which quotes the value, unless satisfied; `parse` turns it
            into a ConfigError.
    """
    if not is_satisfied:
        raise ValueError(message)
