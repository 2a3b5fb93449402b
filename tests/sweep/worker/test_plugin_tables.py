"""Entries from outside the package reach other processes, all tables by one way."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bearing_search.config import DETECTORS
from bearing_search.data.readers import DATA_READERS
from bearing_search.errors import ConfigError
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.sweep.worker.plugin_tables import plugin_tables

TABLES: dict[str, dict[str, Any]] = {
    "detectors": DETECTORS,
    "data_readers": DATA_READERS,
    "metrics": METRICS,
}


@pytest.fixture(autouse=True)
def kept():
    """The tables stay as they were."""
    before = [(table, dict(table)) for table in TABLES.values()]
    yield
    for table, entries in before:
        table.clear()
        table.update(entries)


def names():
    return {kind: list(table) for kind, table in TABLES.items()}


@pytest.mark.parametrize("kind", TABLES)
def test_a_process_gets_exactly_the_entries_of_another_in_their_order(kind):
    table = TABLES[kind]
    first, *others = table.items()
    added = [*others, ("new", first[1])]  # one is gone, one is new
    table.clear()
    table.update(added)
    travelling = pickle.dumps(plugin_tables())
    table.clear()
    table.update([first])

    pickle.loads(travelling).install()

    assert list(table) == [name for name, _ in added]
    assert table["new"] is not first[1]
    assert pickle.dumps(table["new"]) == pickle.dumps(first[1])


@pytest.mark.parametrize(
    ("kind", "function"), [("data_readers", "recognises"), ("metrics", "function")]
)
def test_what_cannot_be_imported_elsewhere_is_named(kind, function):
    table = TABLES[kind]
    entry = next(iter(table.values()))
    table["nameless"] = replace(entry, **{function: lambda _: True})
    with pytest.raises(ConfigError, match=rf"{type(entry).__name__} 'nameless': .* top level"):
        plugin_tables()


def test_a_new_process_has_what_the_driver_has(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "plugins")
    import toy_detector
    import toy_metric
    import toy_reader

    DETECTORS["toy"] = toy_detector.SPEC
    METRICS[toy_metric.NAME] = replace(METRICS["image_ap"], function=toy_metric.clear_share)
    DATA_READERS["index"] = replace(DATA_READERS["folders"], recognises=toy_reader.has_index)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        assert process.submit(names).result() != names()
        process.submit(plugin_tables().install).result()
        assert process.submit(names).result() == names()
