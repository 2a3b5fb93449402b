"""Explains why a trial's process died, from Ray's error and the system's OOM-kill count."""

from pathlib import Path

_VMSTAT = Path("/proc/vmstat")
_SIGNS_OF_A_KILL = ("SYSTEM_ERROR", "died unexpectedly", "ActorDiedError", "ActorUnavailableError")
_HINT = "Run fewer concurrent trials (--concurrent), or use a machine with more memory"


def describe_exit(text: str, *, times: int, was_short_of_memory: bool) -> str:
    """Why a trial failed whose process died too often, in one sentence.

    Args:
        text: Ray's error.
        times: number of times that the process died.
        was_short_of_memory: whether the system killed a process for lack of memory meanwhile.
    """
    often = "once" if times == 1 else f"{times} times"
    if "low on memory" in text or "memory usage threshold" in text:
        return f"Ray killed its process {often} because the machine's memory was full. {_HINT}"
    if any(sign in text for sign in _SIGNS_OF_A_KILL):
        if was_short_of_memory:
            return f"its process was killed {often}, and the system ran out of memory. {_HINT}"
        return (
            f"its process was killed {often} (by kill -9, a crash in a library, or the system "
            "running out of memory)"
        )
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "killed")
    return f"its process died {often}; last error: {last.strip()}"


def oom_kill_count(vmstat: Path = _VMSTAT) -> int:
    """Number of processes that this system has OOM-killed since boot; 0 if unknown."""
    try:
        lines = vmstat.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
