"""Whether a machine may run a cluster's trials, without a cluster."""

import socket
from dataclasses import replace
from typing import Any

import pytest

from bearing_search.sweep.worker.context import WorkerContext
from bearing_search.sweep.worker.node_check import local_code_version, node_incompatibility
from bearing_search.sweep.worker.process import run_payload

HERE = socket.gethostname()


@pytest.fixture
def worker_context(tmp_path):
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "s1.json").touch()
    return WorkerContext(
        root=tmp_path,
        session="s1",
        data=tmp_path,
        cache=tmp_path / "cache",
        threads=1,
        gpus=0.0,
        shares_stages=True,
        code=local_code_version(),
    )


@pytest.fixture
def ask(tmp_path):
    def ask(**changes):
        facts = {
            "data": tmp_path,
            "code": local_code_version(),
            "sees_session": lambda: True,
            "blind": "",
        }
        return node_incompatibility(**(facts | changes))

    return ask


def test_a_machine_with_the_folders_and_the_code_is_fit(worker_context, ask):
    assert ask() == ""
    assert worker_context.incompatibility() == ""


def test_a_folder_that_is_not_shared_is_told_from_one_that_is(
    worker_context, tmp_path, monkeypatch
):
    monkeypatch.setattr("bearing_search.sweep.worker.node_check.STALE_S", 0.0)
    elsewhere = tmp_path / "elsewhere"
    told = f"node {HERE} cannot find the sweep's folder {elsewhere}; --results must be on"
    assert replace(worker_context, root=elsewhere).incompatibility().startswith(told)
    (elsewhere / "sessions").mkdir(parents=True)
    (elsewhere / "sessions" / "of_another_sweep.json").touch()
    assert replace(worker_context, root=elsewhere).incompatibility().startswith(told)


def test_data_that_is_not_there_is_named(worker_context, tmp_path, ask):
    assert f"cannot find the data at {tmp_path / 'data'}" in ask(data=tmp_path / "data")


def test_other_packages_and_other_code_are_refused_but_not_another_build(worker_context, ask):
    code = local_code_version()
    numpy = code.versions["numpy"]
    older = replace(code, versions={**code.versions, "numpy": "1.0"})
    assert f"node {HERE} has numpy {numpy}, the driver 1.0" in ask(code=older)
    more = replace(code, versions={**code.versions, "unheard-of": "1"})
    assert f"node {HERE} has unheard-of (none), the driver 1" in ask(code=more)
    assert "runs different bearing_search code" in ask(code=replace(code, digest="0"))
    assert not any("+" in number for number in code.versions.values())


def test_a_trial_on_a_machine_without_the_folder_fails_in_one_sentence(
    worker_context, tmp_path, monkeypatch, fakes
):
    told: list[dict[str, Any]] = []
    elsewhere = replace(worker_context, root=tmp_path / "elsewhere", data=tmp_path / "none")
    monkeypatch.setattr(WorkerContext, "incompatibility", lambda self: "node n does not see it")
    run_payload({"number": 3, "config": "{}"}, elsewhere, fakes.run_trial, told.append)
    assert told == [{"failure": "node n does not see it", "traceback": ""}]
    assert not elsewhere.root.exists()
