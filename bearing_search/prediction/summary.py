"""What a run of predictions comes to: counts of verdicts, and time per sample."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bearing_search.prediction.results import JUDGED, SampleResult

QUANTILES = (50, 95, 99)


@dataclass(slots=True)
class Summary:
    """Counts and times, added up sample by sample."""

    words: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """Of samples with a score."""

    def add(self, result: SampleResult) -> None:
        """Count a sample."""
        self.words[result.word] += 1
        if result.score is not None:
            self.seconds.append(result.seconds)

    @property
    def num_not_judged(self) -> int:
        """Samples without a verdict that can be relied upon."""
        return sum(count for word, count in self.words.items() if word not in JUDGED)

    def lines(self) -> list[str]:
        """Two lines: verdicts, and the quantiles of the time per sample."""
        order: dict[str, int] = {word: at for at, word in enumerate(JUDGED)}
        words = sorted(self.words, key=lambda word: (order.get(word, len(order)), word))
        total = sum(self.words.values())
        counts = ", ".join(f"{self.words[word]} {word}" for word in words)
        lines = [f"{total} sample{'s' * (total != 1)}: {counts}"]
        if self.seconds:
            shown = ", ".join(f"P{q} {ms:.1f} ms" for q, ms in self.quantiles_ms().items())
            lines.append(f"time per sample, reading and region of interest included: {shown}")
        return lines

    def quantiles_ms(self) -> dict[int, float]:
        """Per cent -> milliseconds; empty without a scored sample."""
        if not self.seconds:
            return {}
        found = np.percentile(self.seconds, QUANTILES) * 1000
        return dict(zip(QUANTILES, map(float, found), strict=True))
