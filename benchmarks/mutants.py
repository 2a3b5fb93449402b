"""Do the tests notice a wrong line? Changes one expression at a time and runs its tests.

    python benchmarks/mutants.py [TARGET...] [--jobs N] [--every N] [--only TEXT]

Prints every mutant that survives; those that results/MUTANTS.md explains are only counted. Takes
minutes to an hour per target.

cosmic-ray makes the mutants, and its classes of operators are used as they are. Its `exec` is not
used (measured with 8.7.0): it writes each mutant into the file in place, leaves it there when it is
ended by SIGTERM, and starts Python for each, 4.1 CPU s where a fork that has loaded the libraries
takes 1.4. Here nothing on disk changes: a fork of this process imports the mutant from memory.
"""

import argparse
import importlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path

from mutations import Mutant, mutants_of

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bearing_search"
EXPLAINED = ROOT / "results/MUTANTS.md"

TARGETS: dict[str, dict[str, tuple[str, ...]]] = {
    "intervals": {"analysis/intervals.py": ("analysis/test_intervals.py",)},
    "thresholds": {
        "evaluation/thresholds.py": ("evaluation/test_thresholds.py",),
        "analysis/operating/thresholds.py": ("analysis/operating/test_thresholds.py",),
        "analysis/operating/rates.py": ("analysis/operating/test_rates.py",),
        "analysis/operating/operating_points.py": ("analysis/operating/test_operating_points.py",),
    },
    "split": {"data/split.py": ("data/test_split.py", "analysis/operating/test_thresholds.py")},
    "metrics": {
        "evaluation/rank_metrics.py": ("evaluation/test_metrics.py",),
        "evaluation/metrics.py": ("evaluation/test_metrics.py",),
    },
    "schedule": {"models/finetuning/schedule.py": ("models/finetuning/test_schedule.py",)},
    "ledger": {
        "sweep/planning/ledger.py": (
            "sweep/planning/test_ledger_limits.py",
            "sweep/planning/test_ledger.py",
            "sweep/test_repeats.py",
            "sweep/test_failures.py",
        ),
    },
}
"""Name -> modules below the package, and for each the tests below tests/ that must notice."""

LIBRARIES = (
    "numpy",
    "scipy.stats",
    "cv2",
    "sqlalchemy",
    "pydantic",
    "beartype",
    "jaxtyping",
    "hypothesis.extra.numpy",
    "sklearn.metrics",
    "torch",
    "optuna",
    "pytest",
)
"""Loaded once; a fork has them at once."""

PATIENCE = 5
"""A mutant that runs so many times as long as the tests themselves has been noticed."""


def is_noticed(mutant: Mutant | None, tests: Sequence[str], timeout_s: float) -> bool:
    """Whether the tests fail, in a fork that imports the mutant; None: the code as it is."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _run_tests(mutant, tests)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _run_tests(mutant: Mutant | None, tests: Sequence[str]) -> None:
    """Run the tests in this process, and end it with their status."""
    import pytest
    from hypothesis import HealthCheck, Phase, settings

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    sys.dont_write_bytecode = True
    if mutant is not None:
        _import_from_memory(mutant)
    settings.register_profile(  # the one of the fast tests, but a failure is enough
        "mutants",
        max_examples=20,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
        phases=(Phase.explicit, Phase.generate),
    )
    options = [
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        "-x",
        "-q",
        "-n0",
        "--no-header",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
    ]
    status = pytest.main([*options, "--hypothesis-profile=mutants", *tests])
    os._exit(int(status))


def _import_from_memory(mutant: Mutant) -> None:
    read = SourceFileLoader.get_data

    def get_data(loader: SourceFileLoader, path: str) -> bytes:
        if Path(path) == mutant.file:
            return mutant.source.encode()
        if path.endswith(".pyc") and loader.path == str(mutant.file):
            raise OSError("compile the source")
        return read(loader, path)

    SourceFileLoader.get_data = get_data  # type: ignore[method-assign, assignment]


def main() -> None:
    """Run the targets, and print what survives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--every", type=int, default=1, help="every n-th mutant only")
    parser.add_argument("--only", default="", metavar="TEXT", help="only changes that contain this")
    options = parser.parse_args()
    os.chdir(ROOT)
    for library in LIBRARIES:
        importlib.import_module(library)
    explained = EXPLAINED.read_text(encoding="utf-8") if EXPLAINED.exists() else ""
    for name in options.targets or TARGETS:
        for module, tests in TARGETS[name].items():
            _run(PACKAGE / module, [f"tests/{test}" for test in tests], options, explained)


def _run(module: Path, tests: Sequence[str], options: argparse.Namespace, explained: str) -> None:
    """Run the mutants of one module, and print what survives."""
    title, begun = module.relative_to(ROOT), time.monotonic()
    if is_noticed(None, tests, 3600):
        raise SystemExit(f"{title}: the tests fail on the code as it is")
    limit = 30 + PATIENCE * options.jobs * (time.monotonic() - begun)
    every = [one for one in mutants_of(module) if options.only in one.change]
    chosen = every[:: options.every]
    alive = []
    with ThreadPoolExecutor(options.jobs) as pool:
        noticed = pool.map(partial(is_noticed, tests=tests, timeout_s=limit), chosen)
        for mutant, is_dead in zip(chosen, noticed, strict=True):
            if not is_dead:
                alive.append(mutant)
                if mutant.change not in explained:
                    print(f"survives: {title}:{mutant.line}: {mutant.change}", flush=True)
    known = sum(mutant.change in explained for mutant in alive)
    print(
        f"{title}: {len(chosen) - len(alive)} of {len(chosen)} mutants noticed, {known} "
        f"explained, {len(alive) - known} open, {time.monotonic() - begun:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
