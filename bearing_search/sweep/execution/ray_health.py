"""Checks that Ray is still alive: without it, Tune would wait indefinitely."""

import threading
import time

import ray

from bearing_search.errors import ResourceError
from bearing_search.sweep.execution._vendor import session_folder, started_processes

EVERY_S = 5.0
"""Seconds between two questions to the cluster; each takes about a millisecond."""
ANSWER_S = 20.0
"""Timeout in seconds for the control store's answer."""
_ESSENTIAL = ("gcs_server", "raylet")


class RayHealthCheck:
    """Checks periodically whether this driver's Ray node is alive."""

    def __init__(self) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        self._processes = {n: p for n, p in started_processes().items() if n in _ESSENTIAL}
        self._ray_folder = session_folder() if self._processes else None
        self._asked = time.monotonic()

    def check(self) -> None:
        """Check this machine's processes, and now and then the cluster; to be called often.

        Raises:
            ResourceError: Ray has died on this machine. This driver can start no more trials, and
                those that ran here have died as well.
        """
        if reason := self._reason():
            raise ResourceError(
                f"Ray has died on this machine ({reason}). Everything saved so far is intact; run "
                "`resume` to continue"
            )

    def _reason(self) -> str:
        for name, process in self._processes.items():
            if process.poll() is not None:
                return f"its {name} was killed, or ran out of memory"
        if self._ray_folder is not None and not self._ray_folder.is_dir():
            return f"its folder {self._ray_folder} was removed"
        now = time.monotonic()
        if now - self._asked < EVERY_S:
            return ""
        self._asked = now
        nodes = _nodes()
        if nodes is None:
            return f"its control store has not answered for {ANSWER_S:.0f} s"
        if not any(node["Alive"] for node in nodes if node["NodeID"] == self._node):
            return "its raylet was killed, ran out of memory, or lost its connection to the cluster"
        return ""


def _nodes() -> list[dict[str, object]] | None:
    """Ray's nodes; None: no answer, as Ray itself would wait for much longer."""
    answers: list[list[dict[str, object]]] = []
    asking = threading.Thread(target=lambda: answers.append(ray.nodes()), daemon=True)
    asking.start()
    asking.join(ANSWER_S)
    return answers[0] if answers else None
