"""Of settings that it expects the same of, TPE draws the one that costs least.

TPE draws 24 candidates and takes the one with the highest expected improvement. That is estimated
from a few dozen trials, so candidates that come within a thousandth of the highest are equal. Among
them one is preferred that shares what other trials have made.
"""

from collections.abc import Mapping
from typing import Any

from bearing_search.errors import ConfigError
from bearing_search.search_space.parameters import BundleParameter, Parameter
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.planning.config_index import ConfigIndex
from bearing_search.sweep.planning.reuse_order import ReuseOrder
from bearing_search.sweep.planning.shared_prefix import ENCODER_SECTIONS, shared_prefix
from bearing_search.sweep.study.param_encoding import decode, encode

REPEAT = 10
"""Rank of a setting that was tried before: all others are preferred."""


class Thrift:
    """Ranks candidates by what of them need not be computed.

    Args:
        space: of the sweep.
        config_index: of its configs; kept by the ledger.
        reuse_order: of its configs.
    """

    def __init__(
        self, space: SearchSpace, config_index: ConfigIndex, reuse_order: ReuseOrder
    ) -> None:
        self._space, self._config_index, self._reuse_order = space, config_index, reuse_order
        self._deciding = [
            path for path, parameter in space.parameters.items() if _moves_encoder(path, parameter)
        ]

    def rank(self, params: Mapping[str, Any]) -> int | None:
        """Of a candidate; None where it leaves out a parameter that its encoder depends on.

        Parameters that are varied under conditions are drawn group by group, so a candidate may
        hold only some of them. Those after the encoder do not matter here.
        """
        there = decode(self._space, params)
        if not all(path in there for path in self._deciding):
            return None
        try:
            whole = self._space.completed(there)
            config = self._space.trial(whole)
        except ConfigError:
            return None
        is_whole = encode(self._space, whole).keys() <= params.keys()
        if is_whole and self._config_index.is_known(config.digest):
            return REPEAT
        return self._reuse_order.rank(shared_prefix(config))


def _moves_encoder(path: str, parameter: Parameter) -> bool:
    settings = parameter.paths if isinstance(parameter, BundleParameter) else [path]
    return any(setting.partition(".")[0] in ENCODER_SECTIONS for setting in settings)
