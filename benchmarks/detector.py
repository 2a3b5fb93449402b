"""Time, size and memory of exported detectors, side by side on their own sample.

    PYTHONPATH=. python benchmarks/detector.py FOLDER... [--rounds 30] [--batch 1] [--threads 1]

Each round judges the sample once with every detector, region of interest included and decoding not,
so that all of them meet the same load. Shown are medians: wall time, and CPU time of the process,
which other programs disturb less.
"""

import argparse
import statistics
import time
from pathlib import Path

from bearing_search.data.samples import read_image
from bearing_search.runtime.detector import load_detector
from bearing_search.runtime.verdict import SampleLevels


def main() -> None:
    """Print one line for each detector, and for the weights of the first run by torch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    begun = time.perf_counter()
    detectors = {"torch fp32": load_detector(asked.folders[0], threads=1, runs_torch=True)}
    for folder in asked.folders:
        found = load_detector(folder, threads=asked.threads)
        detectors[f"{found.form} {found.precision}"] = found
    (test, *_) = detectors["torch fp32"].facts.self_tests
    levels = [read_image(asked.folders[0] / name) for name in test.levels]
    samples = [SampleLevels(part=test.part, levels=levels)] * asked.batch
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in detectors}
    for number in range(asked.rounds + 2):  # the first two load and warm
        for name, detector in detectors.items():
            wall, cpu = time.perf_counter(), time.process_time()
            detector.judge_all(samples)
            if number > 1:
                spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    print(f"batch {asked.batch}, {asked.rounds} rounds, {time.perf_counter() - begun:.0f} s in all")
    base = statistics.median(cpu for _, cpu in spent["torch fp32"])
    for name, detector in detectors.items():
        walls, cpus = zip(*spent[name], strict=True)
        network = next(iter(detector.facts.networks.values()))
        file = network.weights if detector.form == "torch" else network.graph
        size = (detector.folder / file).stat().st_size / 1e6
        each = 1000 / asked.batch
        print(
            f"{name:14} wall {statistics.median(walls) * each:7.1f} ms a sample, CPU "
            f"{statistics.median(cpus) * each:7.1f} ms ({statistics.median(cpus) / base:.2f} of "
            f"torch), least CPU {min(cpus) * each:7.1f} ms, {size:.0f} MB"
        )


if __name__ == "__main__":
    main()
