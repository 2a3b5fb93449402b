"""Passes the plugin tables, to which code outside the package may add, to worker processes.

A new process has only the package's own entries. Samplers and pruners are not included: only the
driver draws and prunes.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bearing_search.config import DETECTORS, DetectorSpec
from bearing_search.data.readers import DATA_READERS, DataReader
from bearing_search.errors import ConfigError
from bearing_search.evaluation.metric_table import METRICS, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginTables:
    """Copies of the tables. They are pickled: classes and functions by name, not by content."""

    detectors: Mapping[str, DetectorSpec]
    data_readers: Mapping[str, DataReader]
    metrics: Mapping[str, Metric]

    def install(self) -> None:
        """Replace this process's tables with these entries, in this order."""
        _install(DETECTORS, self.detectors)
        _install(DATA_READERS, self.data_readers)
        _install(METRICS, self.metrics)


def plugin_tables() -> PluginTables:
    """Copies of this process's tables.

    Raises:
        ConfigError: an entry cannot be pickled; names it.
    """
    for table in (DETECTORS, DATA_READERS, METRICS):
        _require_pickled(table)
    return PluginTables(
        detectors=dict(DETECTORS), data_readers=dict(DATA_READERS), metrics=dict(METRICS)
    )


def _require_pickled(table: Mapping[str, Any]) -> None:
    for name, entry in table.items():
        try:
            pickle.dumps(entry)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"{type(entry).__name__} {name!r}: workers cannot import it ({error}). Define its "
                "classes and functions at the top level of a module; a lambda has no name."
            ) from None


def _install(table: dict[str, Any], entries: Mapping[str, Any]) -> None:
    table.clear()
    table.update(entries)
