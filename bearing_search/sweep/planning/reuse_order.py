"""Orders queued settings by how much finished training they can reuse.

Trials that share a fine-tuned encoder compute it once; the others wait for it. So settings are
ordered by what is available: first those with a finished encoder, then those with a finished
beginning of it, then those with nothing, and last those whose encoder is being computed. The order
affects neither which settings are run nor their scores.
"""

from collections.abc import Iterable, Mapping

from bearing_search.config import TrialConfig
from bearing_search.sweep.planning.config_index import ConfigIndex
from bearing_search.sweep.planning.shared_prefix import SharedPrefix, shared_prefix

LOOKAHEAD = 100
"""Maximum number of settings to compare: a grid of thousands must not slow the driver down."""

READY, BEGUN, NEW, BUSY = range(4)
"""Ranks: the encoder is finished or frozen; its reconstruction-only epochs are finished; nothing
is; another trial is computing it."""


class ReuseOrder:
    """Orders the configs of a sweep by how much finished training they can reuse.

    Args:
        config_index: index of the sweep's configs; maintained by the ledger.
    """

    def __init__(self, config_index: ConfigIndex) -> None:
        self._config_index = config_index
        self._prefixes: dict[str, SharedPrefix] = {}  # by digest of the config

    def add_configs(self, configs: Mapping[str, TrialConfig]) -> None:
        """Add configs, given by digest."""
        for digest, config in configs.items():
            if digest not in self._prefixes:
                self._prefixes[digest] = shared_prefix(config)

    def next_digest(self, digests: Iterable[str]) -> str:
        """Digest of the config with the lowest rank; the first one if several are equal."""
        busy = self._config_index.running_prefixes
        return min(digests, key=lambda digest: self._rank(self._prefixes[digest], busy))

    def _rank(self, prefix: SharedPrefix, busy: set[str]) -> int:
        made = self._config_index.made
        if not prefix.encoder or prefix.encoder in made:
            return READY
        if prefix.encoder in busy:
            return BUSY
        return BEGUN if prefix.beginning in made else NEW
