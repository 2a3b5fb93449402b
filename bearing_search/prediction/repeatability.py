"""How far the score of one part moves if it is photographed again and again.

Every n samples in a row are photographs of one part: put down anew each time, or not, whichever
repeatability is wanted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from bearing_search.errors import ConfigError
from bearing_search.prediction.results import Outcome, SampleResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """Photographs of one part."""

    first: str
    """Name of the first one."""

    part: str
    words: tuple[Outcome, ...]
    scores: tuple[float, ...]
    """Of those that were judged."""

    ng: float | None
    """Threshold of NG."""

    @property
    def deviation(self) -> float:
        """Standard deviation of the score; NaN with fewer than two."""
        count = len(self.scores)
        if count < 2:
            return math.nan
        mean = sum(self.scores) / count
        return math.sqrt(sum((score - mean) ** 2 for score in self.scores) / (count - 1))

    @property
    def changes(self) -> bool:
        """Whether not all photographs get the same verdict."""
        return len(set(self.words)) > 1

    def line(self) -> str:
        """The part in one line."""
        words = ", ".join(f"{self.words.count(word)} {word}" for word in dict.fromkeys(self.words))
        if not self.scores:
            return f"{self.first}: {words}"
        low, high = min(self.scores), max(self.scores)
        mean = sum(self.scores) / len(self.scores)
        return (
            f"{self.first}: {words}; score {mean:.4g}, from {low:.4g} to {high:.4g}, "
            f"standard deviation {self.deviation:.2g}"
        )


@dataclass(slots=True)
class Repeatability:
    """Collects the photographs of each part; only scores and verdicts are kept."""

    times: int
    """Photographs of each part; 0: nothing is collected."""

    done: list[Repeated] = field(default_factory=list)
    _open: list[SampleResult] = field(default_factory=list)

    @classmethod
    def of(cls, num_samples: int, times: int) -> "Repeatability":
        """An empty collection for a number of samples.

        Raises:
            ConfigError: they do not divide into groups of photographs of one part.
        """
        if times == 1:
            raise ConfigError("--repeat 1: one photograph shows nothing; wanted 2 or more")
        if times and num_samples % times:
            raise ConfigError(
                f"--repeat {times}: {num_samples} samples are not {times} photographs of each "
                "part; number those of a part (r1_shot1, r1_shot2, ...) and leave none out"
            )
        return cls(times=times)

    def add(self, result: SampleResult) -> None:
        """Add the next photograph."""
        if not self.times:
            return
        self._open.append(result)
        if len(self._open) == self.times:
            self.done.append(_repeated(self._open))
            self._open.clear()

    def lines(self) -> list[str]:
        """One line for each part, then one for all."""
        if not self.done:
            return []
        by_part: dict[str, list[Repeated]] = {}
        for one in self.done:
            by_part.setdefault(one.part, []).append(one)
        pooled = [_pooled(part, groups) for part, groups in by_part.items()]
        return [*(one.line() for one in self.done), *pooled]


def _repeated(results: Sequence[SampleResult]) -> Repeated:
    first = results[0]
    limits = next((one.thresholds for one in results if one.thresholds is not None), None)
    return Repeated(
        first=first.sample,
        part=first.part,
        words=tuple(one.word for one in results),
        scores=tuple(one.score for one in results if one.is_judged and one.score is not None),
        ng=None if limits is None else limits.ng,
    )


def _pooled(part: str, groups: Sequence[Repeated]) -> str:
    changing = sum(one.changes for one in groups)
    text = f"{part}: verdicts differ for {changing} of {len(groups)} parts photographed repeatedly"
    freedom = sum(max(0, len(one.scores) - 1) for one in groups)
    if not freedom:
        return text
    squares = sum((len(one.scores) - 1) * one.deviation**2 for one in groups if len(one.scores) > 1)
    deviation = math.sqrt(squares / freedom)
    text += f"; repeatability standard deviation of the score {deviation:.2g}"
    limit = next((one.ng for one in groups if one.ng is not None), None)
    if limit is None:
        return text
    return f"{text}: within {3 * deviation:.2g} of the threshold {limit:.4g} a verdict may change"
