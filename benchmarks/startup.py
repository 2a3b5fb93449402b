"""How long commands take that start nothing, beside Python itself and beside another build.

python benchmarks/startup.py --sweep RESULTS/NAME
python benchmarks/startup.py --sweep RESULTS/NAME --against OTHER/.venv/bin/python OTHER

Rounds are interleaved: every command once, then all of them again. Printed: the median seconds, the
CPU seconds and the memory of each, and the ratio to the other build. `--against` names the other
build's interpreter and a folder to run in; `--sweep` a sweep for `status`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

MODULE = ("-m", "bearing_search")


@dataclass
class Timed:
    """One command, and what its runs took."""

    name: str
    command: list[str]
    folder: Path
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    mib: float = 0.0

    def run(self) -> None:
        """Run it once more."""
        begun = time.perf_counter()
        process = subprocess.Popen(
            self.command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(self.command)}: exit status {status}")
        self.seconds.append(time.perf_counter() - begun)
        self.cpu_seconds.append(usage.ru_utime + usage.ru_stime)
        self.mib = max(self.mib, usage.ru_maxrss / 1024)


def commands(python: str, folder: Path, sweep: Path | None) -> list[Timed]:
    """The commands of one build."""
    lines = [
        ("--help", [*MODULE, "--help"]),
        ("run --help", [*MODULE, "run", "--help"]),
        ("check paper --no-weights", [*MODULE, "check", "paper", "--no-weights"]),
        ("check smoke", [*MODULE, "check", "smoke"]),
    ]
    if sweep is not None:
        lines.append(("status", [*MODULE, "status", sweep.name, "--results", str(sweep.parent)]))
    return [Timed(name, [python, *rest], folder) for name, rest in lines]


def main() -> None:
    """Time all commands and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sweep", type=Path)
    parser.add_argument("--against", nargs=2, metavar=("PYTHON", "FOLDER"))
    arguments = parser.parse_args()
    sweep = arguments.sweep.resolve() if arguments.sweep else None
    bare = Timed("python -c pass", [sys.executable, "-c", "pass"], Path.cwd())
    ours = [bare, *commands(sys.executable, Path.cwd(), sweep)]
    ours.insert(1, Timed("--version", [sys.executable, *MODULE, "--version"], Path.cwd()))
    theirs = {}
    if arguments.against:
        python, folder = arguments.against
        theirs = {one.name: one for one in commands(python, Path(folder), sweep)}
    for command in (*ours, *theirs.values()):
        command.run()  # fills the disk's cache, and the cache of checked weights
        command.seconds.clear()
        command.cpu_seconds.clear()
    for _ in range(arguments.rounds):
        for command in (*ours, *theirs.values()):
            command.run()
    print(f"median of {arguments.rounds}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':26} {'s':>6} {'CPU s':>6} {'MiB':>5}   other build: s, CPU s, MiB; times quicker")
    for command in ours:
        seconds, cpu = map(statistics.median, (command.seconds, command.cpu_seconds))
        line = f"{command.name:26} {seconds:6.2f} {cpu:6.2f} {command.mib:5.0f}"
        if (other := theirs.get(command.name)) is not None:
            then, then_cpu = map(statistics.median, (other.seconds, other.cpu_seconds))
            line += f"   {then:6.2f} {then_cpu:6.2f} {other.mib:5.0f}   {then_cpu / cpu:5.1f} x CPU"
        print(line)


if __name__ == "__main__":
    main()
