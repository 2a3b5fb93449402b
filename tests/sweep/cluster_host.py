"""A Ray cluster of several nodes on this machine, told by lines on standard input what to do.

`cluster_host.py NODES GPUS`: a head without GPUs and so many nodes beside it. Prints the address,
then answers `kill PID` (the node of that raylet dies at once) and ends all when its input ends.
"""

import contextlib
import sys

import psutil
from ray.cluster_utils import Cluster

MEMORY = 80 * 1024**2


def main(nodes: int, gpus: int) -> None:
    size = {"object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 0, **size})
    try:
        rest = [cluster.add_node(num_cpus=gpus, num_gpus=gpus, **size) for _ in range(nodes)]
        print(cluster.address, flush=True)
        for line in sys.stdin:
            raylet = int(line.removeprefix("kill "))
            (node,) = [n for n in rest if n.all_processes["raylet"][0].process.pid == raylet]
            on_it = psutil.Process(raylet).children(recursive=True)
            cluster.remove_node(node, allow_graceful=False)
            for process in on_it:  # Ray leaves them for a while; a dead machine does not
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            print("killed", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
