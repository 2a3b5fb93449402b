"""Why a trial's process died, in words, from what Ray and the system say of it."""

from pathlib import Path

_VMSTAT = Path("/proc/vmstat")
_SIGNS_OF_A_KILL = ("SYSTEM_ERROR", "died unexpectedly", "ActorDiedError", "ActorUnavailableError")
_HINT = "Run fewer trials side by side (--concurrent), or on a machine with more memory"


def describe_exit(text: str, *, times: int, was_short_of_memory: bool) -> str:
    """The reason of a trial whose process died for the last time.

    Args:
        text: Ray's error.
        times: how often its process died.
        was_short_of_memory: whether the system ended a process for lack of memory meanwhile.
    """
    often = "once" if times == 1 else f"{times} times"
    if "low on memory" in text or "memory usage threshold" in text:
        return f"Ray ended its process {often}, because the machine's memory was full. {_HINT}"
    if any(sign in text for sign in _SIGNS_OF_A_KILL):
        if was_short_of_memory:
            return f"its process was killed {often}, and the system ran out of memory. {_HINT}"
        return (
            f"its process was killed {often} (kill -9, a crash of a library, or the system's want "
            "of memory)"
        )
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "killed")
    return f"its process died {often}; at last: {last.strip()}"


def oom_kill_count(vmstat: Path = _VMSTAT) -> int:
    """How many processes this system has ended for lack of memory since it started; 0: unknown."""
    try:
        lines = vmstat.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
