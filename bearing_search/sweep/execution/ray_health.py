"""Whether Ray still runs below this driver: Tune itself waits without end where it does not."""

import time

import ray

from bearing_search.errors import ResourceError

EVERY_S = 5.0
"""Seconds between two looks at Ray; one takes about a millisecond."""


class RayHealthCheck:
    """Asks Ray now and then whether the node that this driver belongs to is alive."""

    def __init__(self) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        self._asked = time.monotonic()

    def check(self) -> None:
        """Ask, if it is time to; call it often.

        Raises:
            ResourceError: Ray has died on this machine. No trial can start from here any more,
                and those that ran here are gone, too.
        """
        now = time.monotonic()
        if now - self._asked < EVERY_S:
            return
        self._asked = now
        if not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == self._node):
            raise ResourceError(
                "Ray has died on this machine below the sweep (its raylet ended: killed, out of "
                "memory, or cut off from its cluster); nothing that was saved is lost, and "
                "`resume` goes on"
            )
