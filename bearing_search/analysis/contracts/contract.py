"""What is asked of a threshold: a promise about one kind of error, or the lowest cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bearing_search.analysis.contracts.views import ViewRule
from bearing_search.analysis.intervals import LEVEL
from bearing_search.errors import ConfigError

Side = Literal["miss", "overkill"]
"""A kind of error: a defective group judged OK, or a normal one judged NG."""

OTHER: Mapping[Side, Side] = {"miss": "overkill", "overkill": "miss"}
KINDS: Mapping[Side, str] = {"miss": "defective", "overkill": "normal"}
"""The groups that an error can happen to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What errors cost, in any unit."""

    miss: float
    overkill: float
    defects: float | None = None
    """Share of defective groups in production; None: as in train."""

    def __post_init__(self) -> None:
        if not all(0 < one < math.inf for one in (self.miss, self.overkill)):
            raise ConfigError(f"--cost miss={self.miss:g},overkill={self.overkill:g}: wanted > 0")
        if self.defects is not None and not 0 < self.defects < 1:
            raise ConfigError(f"--cost defects={self.defects:g}: wanted a share between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a threshold has to keep.

    Raises:
        ConfigError: a share or the confidence is out of range, or not exactly one thing is asked.
    """

    views: ViewRule
    max_miss: float | None = None
    """Largest rate of missed defective groups, in (0, 1)."""

    max_overkill: float | None = None
    """Largest rate of normal groups judged NG, in (0, 1)."""

    costs: Costs | None = None
    confidence: float = LEVEL
    """Of each bound, one-sided."""

    reinspect: float = 0.0
    """Share of normal groups that people can inspect again; 0: one threshold without a band."""

    def __post_init__(self) -> None:
        asked = [self.max_miss, self.max_overkill, self.costs]
        if sum(one is not None for one in asked) != 1:
            raise ConfigError("wanted exactly one of --max-miss, --max-overkill and --cost")
        for flag, share in (("max-miss", self.max_miss), ("max-overkill", self.max_overkill)):
            if share is not None and not 0 < share < 1:
                raise ConfigError(f"--{flag} {share:g}: wanted a share between 0 and 1, such as 1%")
        if not 0.5 <= self.confidence < 1:
            raise ConfigError(
                f"--confidence {self.confidence:g}: wanted at least 50% and below 100%"
            )
        if not 0 <= self.reinspect < 1:
            raise ConfigError(f"--reinspect {self.reinspect:g}: wanted a share from 0 to below 1")

    @property
    def promised(self) -> tuple[Side, float] | None:
        """The promised kind of error and its largest rate; None: the lowest cost is asked."""
        if self.max_miss is not None:
            return "miss", self.max_miss
        return None if self.max_overkill is None else ("overkill", self.max_overkill)
