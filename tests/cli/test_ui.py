import socket
from typing import Any
from urllib.parse import parse_qs

import pytest

from bearing_search.cli import main
from bearing_search.cli.commands.ui import columns_of, host_patterns, require_free, view
from bearing_search.errors import ResourceError
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord


@pytest.mark.parametrize(
    ("task", "objective"),
    [("search", "val/pixel_aupro"), ("reproduction", "test/pixel_aupro")],
)
def test_the_page_shows_what_a_sweep_measures_and_varies(tmp_path, task, objective):
    facts: dict[str, Any] = {
        "space_text": "base: {}\nvary: {seed: {choice: [0, 1]}}",
        "data": str(tmp_path),
    }
    sampler = "grid" if task == "reproduction" else "tpe"
    record = SweepRecord(name="one", data_digest="d", target=2, task=task, sampler=sampler, **facts)
    create_sweep(tmp_path, record)

    assert columns_of(tmp_path, "one") == (objective, ("seed",))


def test_a_sweep_that_is_gone_was_a_search(tmp_path):
    assert columns_of(tmp_path, "gone") == ("val/pixel_aupro", ())


def test_an_address_names_the_view_and_nothing_that_would_undo_it():
    assert set(parse_qs(view())) == {"viewStateShareKey", "workflowType"}


def test_a_port_that_is_in_use_is_refused_before_anything_starts(tmp_path, capsys):
    (tmp_path / "mlflow.db").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["ui", "--results", str(tmp_path), "--port", str(port)]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: nothing can listen at port {port} of 127.0.0.1")
    with pytest.raises(ResourceError, match=r"of 192\.0\.2\.1: "):
        require_free("192.0.2.1", 0)
    require_free("127.0.0.1", 0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_names_are_allowed_besides_what_mlflow_allows_by_itself():
    from mlflow.server import security_utils

    assert set(host_patterns("")) == set(security_utils.get_default_allowed_hosts())
    for header in ("gpu.lab:5000", "gpu.lab", "old.lab:80", "localhost:5000", "172.20.0.1:5000"):
        assert security_utils.is_allowed_host_header(host_patterns("gpu.lab, old.lab:80"), header)
    assert not security_utils.is_allowed_host_header(host_patterns("gpu.lab"), "evil.lab:5000")
