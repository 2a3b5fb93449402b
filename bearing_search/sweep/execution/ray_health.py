"""Checks that Ray is still alive: without it, Tune would wait indefinitely."""

import time

import ray

from bearing_search.errors import ResourceError

EVERY_S = 5.0
"""Seconds between two checks; each takes about a millisecond."""


class RayHealthCheck:
    """Checks periodically whether this driver's Ray node is alive."""

    def __init__(self) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        self._asked = time.monotonic()

    def check(self) -> None:
        """Check if the last check was long enough ago; to be called often.

        Raises:
            ResourceError: Ray has died on this machine. This driver can start no more trials, and
                those that ran here have died as well.
        """
        now = time.monotonic()
        if now - self._asked < EVERY_S:
            return
        self._asked = now
        if not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == self._node):
            raise ResourceError(
                "Ray has died on this machine (its raylet was killed, ran out of memory, or lost "
                "its connection to the cluster). Everything saved so far is intact; run `resume` "
                "to continue"
            )
