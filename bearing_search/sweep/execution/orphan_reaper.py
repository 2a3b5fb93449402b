"""Cleans up after a driver, however it ended: not even `kill -9` leaves orphans or scratch files.

Runs as a separate process that holds the other end of a pipe. When the driver dies, the pipe
closes, and every process with a file open in the driver's scratch folder is killed. (All Ray
processes log there. Their environment is no help: Ray overwrites it with the process titles.)
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def reaped_on_exit(scratch: Path) -> Iterator[None]:
    """Clean up everything that uses the folder when the block is left or this process dies.

    Args:
        scratch: folder used by this process only, to be removed at the end.
    """
    # -P and the bare file: no package needs to be importable
    command = [sys.executable, "-P", __file__, str(scratch), str(os.getpid())]
    # its own process session: it must not receive a terminal's Ctrl-C
    dog = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        dog.communicate()


def users_of(scratch: Path, *, but: Container[int]) -> list[psutil.Process]:
    """Processes with a file open in the folder, among those that this user may inspect."""
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
    """Wait until the driver has died or released the folder, then clean up."""
    sys.stdin.buffer.read()
    for _ in range(3):  # a dying raylet may just have started another worker
        processes = users_of(scratch, but={driver, os.getpid()})
        for process in processes:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(processes, timeout=2)
    for _ in range(5):  # a process that is just ending may still write
        shutil.rmtree(scratch, ignore_errors=True)
        if not scratch.exists():
            return
        time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
