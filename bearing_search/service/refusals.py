"""Requests that are not accepted: a status, one line, and what the metrics call it."""

from typing import Literal

Why = Literal["queue_full", "not_ready", "too_large", "invalid", "foreign", "slow", "failed"]
"""Label of a refusal in the metrics."""

WHYS: tuple[Why, ...] = (
    *("queue_full", "not_ready", "too_large", "invalid", "foreign", "slow", "failed"),
)


class Refusal(Exception):  # noqa: N818 (the sender's fault, or nobody's)
    """A request that is refused; nothing of it is kept.

    Args:
        line: what was found, wanted, and is to be changed.
        status: HTTP status.
        why: what the metrics call it.
        retry_after_s: when it makes sense to ask again; 0: it makes none without a change.
    """

    def __init__(self, line: str, *, status: int, why: Why, retry_after_s: int = 0) -> None:
        super().__init__(line)
        self.line, self.status, self.why = line, status, why
        self.retry_after_s = retry_after_s
