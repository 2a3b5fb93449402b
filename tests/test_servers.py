"""The compose file that docs/servers.md tells people to use."""

from pathlib import Path

import yaml

DOCS = Path(__file__).parents[1] / "docs"
COMPOSE = yaml.safe_load((DOCS / "compose.yaml").read_text())


def test_every_server_is_pinned_and_listens_on_this_machine_only():
    assert set(COMPOSE["services"]) == {"ledger", "mlflow"}
    for service in COMPOSE["services"].values():
        _, _, tag = service["image"].rpartition(":")
        assert tag[0].isdigit() or tag.startswith("v3.")
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_page_names_the_ports_that_are_served():
    page = (DOCS / "servers.md").read_text()
    for service in COMPOSE["services"].values():
        (port,) = service["ports"]
        assert f"127.0.0.1:{port.split(':')[1]}" in page


def test_no_password_is_in_the_file_and_none_set_is_refused():
    password = COMPOSE["services"]["ledger"]["environment"]["POSTGRES_PASSWORD"]
    assert password.startswith("${PGPASSWORD:?")


def test_what_is_kept_is_on_a_named_volume():
    used = {v.split(":")[0] for s in COMPOSE["services"].values() for v in s["volumes"]}
    assert used == set(COMPOSE["volumes"])
