"""Orders queued settings by how much finished training they can reuse.

Trials that share a fine-tuned encoder compute it once; who comes meanwhile waits. So a setting
whose encoder is there comes first, then one whose beginning is, then one of which nothing is, then
one whose encoder somebody is making. Among settings that are run anyway this is an order, and
neither which are run nor their scores change.
"""

from collections.abc import Iterable, Mapping

from bearing_search.config import TrialConfig
from bearing_search.sweep.planning.config_index import ConfigIndex
from bearing_search.sweep.planning.shared_prefix import SharedPrefix, shared_prefix

LOOKAHEAD = 100
"""How many settings are compared at most: a design of thousands must not slow the driver down."""

READY, BEGUN, NEW, BUSY = range(4)
"""Ranks: the encoder is there, or frozen; the epochs of reconstruction alone are; nothing is;
another trial is making it."""


class ReuseOrder:
    """Configs of a sweep by what they need not compute.

    Args:
        config_index: of the sweep's configs; kept by the ledger.
    """

    def __init__(self, config_index: ConfigIndex) -> None:
        self._config_index = config_index
        self._prefixes: dict[str, SharedPrefix] = {}  # by digest of the config

    def add_configs(self, configs: Mapping[str, TrialConfig]) -> None:
        """Take note of configs, by digest."""
        for digest, config in configs.items():
            if digest not in self._prefixes:
                self._prefixes[digest] = shared_prefix(config)

    def next_digest(self, digests: Iterable[str]) -> str:
        """The one that waits least, of equals the first."""
        busy = self._config_index.running_prefixes
        return min(digests, key=lambda digest: self._rank(self._prefixes[digest], busy))

    def _rank(self, prefix: SharedPrefix, busy: set[str]) -> int:
        made = self._config_index.made
        if not prefix.encoder or prefix.encoder in made:
            return READY
        if prefix.encoder in busy:
            return BUSY
        return BEGUN if prefix.beginning in made else NEW
