"""Cleans up behind a driver, however it ended: `kill -9` leaves no orphan and no scratch folder.

A small process of its own. It holds the other end of a pipe; when the driver is gone, the pipe
closes, and every process that has a file open in the driver's scratch folder is killed. (All of
Ray's log there. Their environment says nothing: Ray overwrites it with the processes' titles.)
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def reaped_on_exit(scratch: Path) -> Iterator[None]:
    """Have everything that uses the folder cleaned up when this process dies or leaves.

    Args:
        scratch: folder of nobody else, to be removed in the end.
    """
    # -P and the bare file: needs no package on its path
    command = [sys.executable, "-P", __file__, str(scratch), str(os.getpid())]
    # a session of its own: Ctrl-C in a terminal is not for it
    dog = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        dog.communicate()


def users_of(scratch: Path, *, but: Container[int]) -> list[psutil.Process]:
    """Processes with a file open in the folder, as far as this user may look."""
    found = []
    for process in psutil.process_iter():
        try:
            files = process.open_files() if process.pid not in but else []
        except psutil.Error:
            continue
        if any(scratch in Path(file.path).parents for file in files):
            found.append(process)
    return found


def main(scratch: Path, driver: int) -> None:
    """Wait until the driver has died, or has no more use for the folder; then clean up."""
    sys.stdin.buffer.read()
    for _ in range(3):  # a dying raylet may just have started another worker
        processes = users_of(scratch, but={driver, os.getpid()})
        for process in processes:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(processes, timeout=2)
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
