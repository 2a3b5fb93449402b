"""Ray: a runtime of our own or an existing cluster, and Tune as nothing but an executor.

Every session is a fresh `Tuner` without end; `Tuner.restore` and Tune's own books are not used.
"""

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray._private import worker as ray_worker
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from bearing_search.errors import ResourceError
from bearing_search.measurement import RunTrial
from bearing_search.sweep.attendant import Attendant
from bearing_search.sweep.conductor import Conductor, assignment
from bearing_search.sweep.deaths import death_words, kills_for_memory
from bearing_search.sweep.resources import Node, Plan, Resources, plan
from bearing_search.sweep.watchdog import watched
from bearing_search.sweep.worker import Workplace, run_assignment

_logger = logging.getLogger(__name__)
_OBJECT_STORE_BYTES = 128 * 1024**2  # nothing large travels through Ray
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # else Ray warns that it leaves the GPUs visible to a trial without any; the worker hides them
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints a banner even when told to be silent
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}


class InterruptedStartError(Exception):
    """A signal came while Ray was starting."""


@contextmanager
def ray_runtime(resources: Resources, after_init: Callable[[], None]) -> Iterator[Plan]:
    """A running Ray, and what each trial gets of it.

    A Ray that this process has already initialised is used as it is and left running.

    Args:
        resources: what was asked for.
        after_init: called as soon as Ray runs, which has then put its own signal handlers in
            place.

    Raises:
        ResourceError: no cluster at the address, or it lacks what was asked for.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if ray.is_initialized():
        yield plan(resources, _nodes())
        return
    # short: the paths of Unix sockets below it may have 107 bytes
    scratch = Path(tempfile.mkdtemp(prefix="bs-", dir="/tmp" if Path("/tmp").is_dir() else None))
    with watched(scratch):
        # the raylet's remarks, such as a worker's death, otherwise go to standard output
        ray_worker.print_to_stdstream = _log_remark
        try:
            _init(resources.address, scratch)
            after_init()
            yield plan(resources, _nodes())
        finally:
            ray.shutdown()


def execute(
    conductor: Conductor,
    run_trial: RunTrial,
    workplace: Workplace,
    shares: Plan,
    storage: Path,
    *,
    max_deaths: int,
) -> None:
    """Run trials as the conductor issues them, until it has no more.

    Args:
        conductor: issues trials and receives their messages.
        run_trial: pickled into every worker.
        workplace: what all trials share.
        shares: what each trial holds.
        storage: new folder for Tune's own files.
        max_deaths: so often a trial whose process dies starts again, from its folder.
    """

    def trainable(config: dict[str, Any]) -> None:
        run_assignment(config, workplace, run_trial, tune.report)

    # Tune starts one worker at a time for a searcher of one's own, however many GPUs wait
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(shares.starting)
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)  # we tell failures ourselves
    numbers: dict[str, int] = {}
    crashes: dict[str, tuple[str, str]] = {}
    tune.Tuner(
        tune.with_resources(trainable, {"cpu": shares.cpus, "gpu": shares.gpus}),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=_Issuer(conductor, numbers, crashes),
            scheduler=_Receiver(conductor, numbers, crashes, max_deaths),
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=storage.name,
            storage_path=str(storage.parent),
            verbose=0,
            callbacks=[Attendant(conductor)],
            failure_config=tune.FailureConfig(max_failures=max_deaths),
        ),
    ).fit()


class _Issuer(Searcher):
    """Tune asks it for trials, and tells it when one has ended."""

    def __init__(
        self,
        conductor: Conductor,
        numbers: dict[str, int],
        crashes: dict[str, tuple[str, str]],
    ) -> None:
        super().__init__(metric=None, mode=None)
        self._conductor = conductor
        self._numbers = numbers
        self._crashes = crashes

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial; None: later; FINISHED: no more."""
        issued = self._conductor.issue()
        if issued is None:
            return str(Searcher.FINISHED) if self._conductor.is_finished else None
        self._numbers[trial_id] = issued.number
        return assignment(issued)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The end of a trial's last process."""
        crash = self._crashes.pop(trial_id, None) if error else None
        self._conductor.end(self._numbers.pop(trial_id), crash=crash)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher; the study must not travel


class _Receiver(FIFOScheduler):
    """Tune shows it every report first. Pruned trials are asked to stop, by a file."""

    def __init__(
        self,
        conductor: Conductor,
        numbers: dict[str, int],
        crashes: dict[str, tuple[str, str]],
        max_deaths: int,
    ) -> None:
        super().__init__()
        self._max_deaths, self._kills_before = max_deaths, kills_for_memory()
        self._conductor = conductor
        self._numbers = numbers
        self._crashes = crashes

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass a report on."""
        self._conductor.receive(self._numbers[trial.trial_id], result)
        return str(TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A trial's process has died for the last time; comes before the searcher's word."""
        # not `get_error`, which reads what is only copied there later
        file = Path(trial.local_path) / str(trial.run_metadata.error_filename)
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        reason = death_words(
            text,
            times=self._max_deaths + 1,
            was_short_of_memory=kills_for_memory() > self._kills_before,
        )
        self._crashes[trial.trial_id] = (reason, text)

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _init(address: str | None, scratch: Path) -> None:
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        # Ray wants a token by default and would keep it in the home directory, if there is one
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(16))
        quiet |= {
            "include_dashboard": False,
            "_temp_dir": str(scratch),
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    else:
        _refuse_silence(address)
    try:
        ray.init(address=address or "local", **quiet)
    except SystemExit:
        # until `ray.init` is over, SIGTERM meets Ray's own handler
        raise InterruptedStartError from None
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"no Ray cluster can be used at {address}" if address else "Ray does not start"
        hint = ". RAY_AUTH_MODE and RAY_AUTH_TOKEN must be the cluster's" if address else ""
        raise ResourceError(f"{where}: {' '.join(str(error).split())}{hint}") from error


def _refuse_silence(address: str) -> None:
    """Ray would knock for minutes where nobody listens."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdigit():
        return  # `auto`, or a kind of address that Ray itself must judge
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ResourceError(
            f"no Ray cluster can be used at {address}: {error.strerror or error}"
        ) from None


def _log_remark(data: Mapping[str, Any], ignore_prefix: bool) -> None:
    for line in data.get("lines", []):
        _logger.info("Ray: %s", line)


def _nodes() -> list[Node]:
    totals = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(cpus=total.get("CPU", 0), gpus=total.get("GPU", 0)) for total in totals]
