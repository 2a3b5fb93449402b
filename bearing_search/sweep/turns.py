"""Whose turn it is among settings that are run anyway: those that need not wait for an encoder.

Trials that share a fine-tuned encoder compute it once; who comes meanwhile waits. So a setting
whose encoder is there comes first, then one whose encoder nobody is making. Which settings are run
does not change, and neither do their scores.
"""

import json
from collections.abc import Iterable, Mapping

from bearing_search.config import TrialConfig, to_plain
from bearing_search.sweep.fates import Fates

ENCODER_SECTIONS = (
    *("parts", "scope", "split", "preprocess", "fusion"),
    *("encoder", "augment", "finetune", "seed"),
)
"""Settings that a fine-tuned encoder depends on; `stages.sharing`, which names them by what they
read, cannot be asked here: it knows torch."""

LOOK_AHEAD = 100
"""So many settings are compared, so that a design of thousands does not slow the driver down."""


def encoder_of(config: TrialConfig) -> str:
    """Which fine-tuned encoder a config needs; empty: none, its encoder stays frozen."""
    if not config.finetune.epochs:
        return ""
    plain = to_plain(config)
    return json.dumps({name: plain[name] for name in ENCODER_SECTIONS}, sort_keys=True)


class Turns:
    """Configs of a sweep by the encoder that they need.

    Args:
        fates: of the sweep's configs; kept by the ledger.
    """

    def __init__(self, fates: Fates) -> None:
        self._fates = fates
        self._encoders: dict[str, str] = {}  # of each config, by digest
        self._sharers: dict[str, list[str]] = {}
        self._ready = {""}

    def know(self, configs: Mapping[str, TrialConfig]) -> None:
        """Take note of configs, by digest."""
        for digest, config in configs.items():
            if digest not in self._encoders:
                self._encoders[digest] = encoder_of(config)
                self._sharers.setdefault(self._encoders[digest], []).append(digest)

    def first(self, digests: Iterable[str]) -> str:
        """The one that waits least, of equals the first."""
        busy = {self._encoders.get(name.digest) for name in self._fates.running.values()}
        return min(digests, key=lambda digest: self._rank(self._encoders[digest], busy))

    def _rank(self, encoder: str, busy: set[str | None]) -> int:
        if encoder not in self._ready and any(
            digest in self._fates.finished for digest in self._sharers[encoder]
        ):
            self._ready.add(encoder)
        if encoder in self._ready:
            return 0
        return 2 if encoder in busy else 1
