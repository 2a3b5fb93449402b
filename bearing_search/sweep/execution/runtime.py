"""Starts Ray on this machine or connects to a cluster, and checks the cluster's nodes."""

import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bearing_search.errors import ResourceError
from bearing_search.sweep.execution._vendor import (
    in_folder,
    in_own_sessions,
    on_loopback,
    redirect_remarks,
)
from bearing_search.sweep.execution.orphan_reaper import reaped_on_exit
from bearing_search.sweep.record.resources import Node, Resources, TrialResources, plan_resources
from bearing_search.sweep.worker.context import WorkerContext
from bearing_search.sweep.worker.node_check import PACKAGE

NODE_ANSWER_S = 180.0
"""Timeout in seconds for a node's answer whether it can run trials."""

_logger = logging.getLogger(__name__)
_COMPILED = shutil.ignore_patterns("__pycache__")
_OBJECT_STORE_BYTES = 128 * 1024**2  # nothing large is passed through Ray
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # without its control store, Ray would abort this process after a minute; see `ray_health`
    "RAY_gcs_rpc_server_reconnect_timeout_s": "3600",
    # avoids Ray's warning that a trial without GPUs still sees them; the worker hides them
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints a banner even with verbose=0
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Tune would ask the control store every 10 s, and wait for ever once that has died
    "TUNE_STATE_REFRESH_PERIOD": str(10**9),
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}


class InterruptedStartError(Exception):
    """A signal arrived while Ray was starting."""


@contextmanager
def ray_runtime(resources: Resources, after_init: Callable[[], None]) -> Iterator[TrialResources]:
    """Run Ray for the duration of the block; yields the resources of each trial.

    If this process has already initialised Ray, that instance is used and left running.

    Args:
        resources: the requested resources.
        after_init: called once Ray runs, since starting it replaces the signal handlers.

    Raises:
        ResourceError: no cluster at the address, or it lacks the requested resources.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if ray.is_initialized():
        yield plan_resources(resources, _nodes())
        return
    # keep it short: the paths of Unix sockets in it are limited to 107 bytes
    scratch = Path(tempfile.mkdtemp(prefix="bs-", dir="/tmp" if Path("/tmp").is_dir() else None))
    with reaped_on_exit(scratch):
        # otherwise the raylet prints messages, such as a worker's death, to stdout
        redirect_remarks(lambda line: _logger.info("Ray: %s", line))
        try:
            with on_loopback() if resources.address is None else nullcontext():
                _init(resources.address, scratch)
            after_init()
            yield plan_resources(resources, _nodes())
        finally:
            ray.shutdown()


def check_nodes(worker_context: WorkerContext, shares: TrialResources) -> None:
    """Check that every node of the cluster with enough resources can run a trial.

    Raises:
        ResourceError: one cannot; names the node and the reason.
    """
    ask = ray.remote(num_cpus=0)(_incompatibility)
    asked = []
    for node in ray.nodes():
        total = node["Resources"]
        has_room = total.get("CPU", 0) >= shares.cpus and total.get("GPU", 0) >= shares.gpus
        if node["Alive"] and has_room:
            place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked.append(
                (node["NodeName"], ask.options(scheduling_strategy=place).remote(worker_context))
            )
    for name, answer in asked:
        try:
            reason = ray.get(answer, timeout=NODE_ANSWER_S)
        except (ray.exceptions.RayError, TimeoutError) as error:
            last = str(error).strip().splitlines()[-1:] or ["no answer"]
            reason = f"node {name} cannot run bearing_search: {last[0].strip()}"
        if reason:
            raise ResourceError(reason)


def _incompatibility(worker_context: WorkerContext) -> str:
    return worker_context.incompatibility()


def _init(address: str | None, scratch: Path) -> None:
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        # Ray requires a token by default and would store it in the home directory, if there is one
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(16))
        quiet |= {
            **in_folder(scratch / "ray"),  # Ray opens its own folder to everybody
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    else:
        _check_reachable(address)
        # every node runs this process's code, whatever is installed there. It is copied to a
        # separate folder: otherwise workers would find this process's working directory first
        shutil.copytree(PACKAGE, scratch / "code" / PACKAGE.name, ignore=_COMPILED)
        quiet["runtime_env"] = {"working_dir": str(scratch / "code")}
    try:
        with in_own_sessions():
            ray.init(address=address or "local", **quiet)
    except SystemExit:
        # during `ray.init`, SIGTERM is handled by Ray
        raise InterruptedStartError from None
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"no Ray cluster can be used at {address}" if address else "Ray does not start"
        hint = ". RAY_AUTH_MODE and RAY_AUTH_TOKEN must match the cluster's" if address else ""
        raise ResourceError(f"{where}: {' '.join(str(error).split())}{hint}") from error


def _check_reachable(address: str) -> None:
    """Fail fast if nothing listens at the address: `ray.init` would retry for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdigit():
        return  # `auto`, or another kind of address, which is left to Ray
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ResourceError(
            f"no Ray cluster can be used at {address}: {error.strerror or error}"
        ) from None


def _nodes() -> list[Node]:
    totals = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(cpus=total.get("CPU", 0), gpus=total.get("GPU", 0)) for total in totals]
