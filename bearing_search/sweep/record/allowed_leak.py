"""Leaks between train and test that a user has accepted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedLeak:
    """Leaks between train and test that the user allowed, and the reason given."""

    reason: str
    leaks: tuple[str, ...]
    """One sentence per leak."""

    @property
    def sentence(self) -> str:
        """The leak and the reason, as stated in every report."""
        more = f" (and {len(self.leaks) - 1} more)" if len(self.leaks) > 1 else ""
        return (
            f"LEAK ALLOWED, so scores may be too good: {self.leaks[0]}{more}. Reason given: "
            f"{self.reason}."
        )
