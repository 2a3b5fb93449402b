"""Processes that end with the process that started them, even after `kill -9`."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

_PR_SET_PDEATHSIG = 1


def process_pool(
    workers: int, initializer: Callable[[], None] | None = None
) -> ProcessPoolExecutor:
    """A pool of fresh interpreters, none of which outlives this process.

    Fork would break the threads of OpenCV and torch.

    Args:
        workers: number of processes.
        initializer: called in each of them at first.
    """
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(), initializer),
    )


def _begin(parent: int, initializer: Callable[[], None] | None) -> None:
    end_with_parent(parent)
    if initializer is not None:
        initializer()


def end_with_parent(parent: int) -> None:
    """Have Linux kill this process when its parent ends; end now if it already has.

    Args:
        parent: pid of the process that started this one.

    Raises:
        OSError: the system refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(1)
