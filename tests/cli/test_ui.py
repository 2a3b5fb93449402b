from typing import Any
from urllib.parse import parse_qs

import pytest

from bearing_search.cli.commands.ui import best_first, objective_of
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord


@pytest.mark.parametrize(
    ("task", "objective"),
    [("search", "val/pixel_aupro"), ("reproduction", "test/pixel_aupro")],
)
def test_the_page_orders_runs_by_what_their_sweep_measures(tmp_path, task, objective):
    facts: dict[str, Any] = {
        "space_text": "base: {}\nvary: {seed: {choice: [0, 1]}}",
        "data": str(tmp_path),
    }
    sampler = "grid" if task == "reproduction" else "tpe"
    record = SweepRecord(name="one", data_digest="d", target=2, task=task, sampler=sampler, **facts)
    create_sweep(tmp_path, record)

    query = parse_qs(best_first(objective_of(tmp_path, "one")))
    assert query["orderByKey"] == [f"metrics.`{objective}`"]
    assert query["searchFilter"] == [f"metrics.`{objective}` > 0"]


def test_a_sweep_that_is_gone_was_a_search(tmp_path):
    assert objective_of(tmp_path, "gone") == "val/pixel_aupro"
