"""Plan, time estimate and final report of a reproduction."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from bearing_search.config import DETECTORS, TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.pixel_labels import unmasked_lines
from bearing_search.reproduction.cost import Work, seconds, work_of
from bearing_search.reproduction.report import is_table_2, write_report
from bearing_search.reproduction.texts import conclusions, how_sure
from bearing_search.session.speed_probe import Speed, measure_speed
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.record.resources import MAX_CPU_TRIALS, Resources
from bearing_search.sweep.study.grid import grid_points
from bearing_search.trial_history.records import SweepOutcome


def announce_reproduction(folder: SweepFolder, data_set: DataSet, console: Console) -> None:
    """Print the plan and an estimate of its duration."""
    space = folder.space()
    points = grid_points(space, folder.record.digest_scheme)
    configs = [space.trial(point) for point in points]
    work = [
        work_of(config, [s for part in config.parts for s in data_set.samples("train", part)])
        for config in configs
    ]
    total = sum(work, Work())
    with console.status("measuring the speed of this machine"):
        speed = measure_speed(use_gpus=folder.record.resources.gpus_per_trial != 0)
    console.print(f"{folder.record.name}: {space.question}")
    console.print(f"  {total.runs} runs: {_kinds(configs)}")
    for line in dict.fromkeys(_encoder_line(config) for config in configs):
        console.print(f"  {line}")
    console.print(
        f"  {total.detector_steps:,} iterations of detectors, {total.finetune_steps:,} of "
        "fine-tuning"
    )
    console.print(f"  {estimate(total, speed, folder.record.resources)}")
    console.print(f"  data {folder.data} (digest {folder.record.data_digest})")
    for part in data_set.parts:
        train, test = (_counts(data_set, split, part) for split in ("train", "test"))
        console.print(f"  {part}: {train} for training, {test} for test")
    for text in unmasked_lines(data_set.all_samples):
        console.print(f"  {text}")
    console.print("  test is read by design, once per run; choose no setting by the table")


def estimate(work: Work, speed: Speed, resources: Resources) -> str:
    """Estimated duration of the work, as a phrase."""
    if not work.is_known:
        return "duration unknown: an encoder's name does not reveal its size"
    at_once = speed.count if speed.device == "cuda" else min(speed.count, MAX_CPU_TRIALS)
    if resources.concurrent is not None:
        at_once = min(at_once, resources.concurrent)
    minutes = (
        seconds(work, gflop_per_s=speed.gflop_per_s, device=speed.device, side_by_side=at_once) / 60
    )
    length = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
    where = f"{speed.count} GPUs" if speed.device == "cuda" else f"{speed.count} cores"
    return (
        f"about {length} on {where}: an estimate, good to a factor of two, from "
        f"{speed.gflop_per_s:,.0f} GFLOP/s measured just now"
    )


def _kinds(configs: Sequence[TrialConfig]) -> str:
    detectors = Counter(DETECTORS[config.detector].title for config in configs)
    parts = Counter(" and ".join(config.parts) for config in configs)
    seeds = len({config.seed for config in configs})
    return (
        f"{', '.join(detectors)} x EN_pre, EN_train x {', '.join(parts)} x "
        f"{seeds} seed{'s' * (seeds > 1)}"
    )


def _encoder_line(config: TrialConfig) -> str:
    encoder = config.encoder
    return (
        f"{DETECTORS[config.detector].title} on {encoder.name} ({encoder.weights}) at "
        f"{encoder.input_px} px"
    )


def _counts(data_set: DataSet, split: Literal["train", "test"], part: str) -> str:
    found = data_set.samples(split, part)
    anomalous = sum(sample.is_anomalous for sample in found)
    return f"{len(found) - anomalous} normal + {anomalous} anomalous"


def finish_reproduction(
    folder: SweepFolder, outcome: SweepOutcome, console: Console
) -> Sequence[Path]:
    """Write tables and figures of the complete runs, and print the conclusions.

    Returns:
        Files to keep with the sweep's own run; none before a run is complete.
    """
    complete, name, space = outcome.count("complete"), folder.record.name, folder.space()
    if not complete:
        return []
    points = grid_points(space, folder.record.digest_scheme)
    if not is_table_2([space.trial(point) for point in points]):
        console.print(
            f"{complete} of {outcome.target} runs were scored on test. Their design has more "
            "parameters than Table 2, so there is no table."
        )
        return []
    with console.status("writing the tables"):
        measured = write_report(folder, outcome.trials)
    missing = outcome.target - complete
    again = f"; {missing} are missing, `resume {name}` runs them" if missing else ""
    console.print(f"\n{complete} of {outcome.target} runs were scored on test{again}.")
    for text in (*conclusions(measured), *how_sure(measured)):
        console.print(f"  {text}")
    page = folder.root / "table2.html"
    console.print(f"Everything: {page} (also table2.md, .csv, .json, .png)")
    return [page, folder.root / "table2.csv", folder.root / "table2.png"]
