"""Simulations with known truth: interval coverage, ties of equal settings, bias of test scores.

    python benchmarks/selection.py            # several minutes; draws docs/img/selection.png
    python benchmarks/selection.py --quick    # fewer data sets, no picture

Maps of 12x12 pixels: smooth noise, a random offset per sample, and a 3x3 defect whose strength
varies between samples. Settings share the samples and add independent noise.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from bearing_search.analysis.comparison import fold_influence, influences, pooled_folds
from bearing_search.analysis.influence_cache import scaled_shifts
from bearing_search.analysis.intervals import Influence, difference_interval, metric_interval
from bearing_search.analysis.multiple_comparisons import compare_with_best
from bearing_search.config import PostprocessConfig, ProtocolConfig
from bearing_search.evaluation.anomaly_maps import PostprocessSpec
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.predictions import Predictions

SIDE = 12
PROTOCOL = ProtocolConfig(map_px=SIDE)
AUPRO, IMAGE_AUROC = "pixel_aupro", "image_auroc"
RENDERING = PostprocessSpec(
    detector="dinomaly",
    fusion="channels",
    input_px=SIDE,
    map_px=SIDE,
    postprocess=PostprocessConfig(image_score="max", smoothing_sigma_px=0.0),
)
SIZES = ((10, 6, 1.6), (10, 6, 3.0), (24, 7, 2.0), (20, 12, 3.0), (40, 20, 1.6), (40, 20, 3.0))
"""Normal and anomalous groups, and the defect strength in standard deviations of the noise."""

TIES = (((10, 6, 0.0), 200), ((10, 6, 2.0), 200), ((24, 12, 2.0), 200), ((40, 20, 2.0), 40))
"""Data sets, and the number of equally good settings."""

NOISE = ((10, 6, 0.0), (24, 12, 0.0), (40, 20, 0.0))
"""The same without visible defects: no setting can be better than another."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A simulated data set, before it is scored by a setting."""

    masks: np.ndarray
    common: np.ndarray
    """Noise common to all settings."""

    is_anomalous: np.ndarray
    strength: np.ndarray
    """Relative strength of each sample's defect."""


def draw_samples(rng: np.random.Generator, normal: int, anomalous: int) -> Samples:
    """A data set of one part, anomalous samples first."""
    count = normal + anomalous
    masks = np.zeros((count, SIDE, SIDE), dtype=bool)
    for index in range(anomalous):
        y, x = rng.integers(1, SIDE - 4, 2)
        masks[index, y : y + 3, x : x + 3] = True
    return Samples(
        masks=masks,
        common=noise(rng, count) + 0.5 * rng.normal(size=(count, 1, 1)),
        is_anomalous=np.arange(count) < anomalous,
        strength=np.exp(0.6 * rng.normal(size=(count, 1, 1))),
    )


def noise(rng: np.random.Generator, count: int) -> np.ndarray:
    """Smooth noise maps with a standard deviation of 1."""
    return np.stack(
        [1.8 * cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (5, 5), 0.8) for _ in range(count)]
    )


def seen_by(
    samples: Samples, rng: np.random.Generator, strength: float, *, own_noise: float = 0.0
) -> Predictions:
    """Predictions of a setting for the samples."""
    count = len(samples.masks)
    maps = samples.common + strength * samples.strength * samples.masks
    if own_noise:
        maps = maps + own_noise * noise(rng, count)
    maps = maps.astype(np.float32)
    names = tuple(f"s{index}" for index in range(count))
    return Predictions(
        distances=maps[:, None, None],
        own_scores=None,
        rendering=RENDERING,
        maps=maps,
        image_scores=maps.reshape(count, -1).max(axis=1),
        masks=samples.masks,
        is_anomalous=samples.is_anomalous,
        groups=names,
        names=names,
        lost_regions=np.zeros(count, dtype=np.int64),
        unreachable_regions=0,
        num_no_roi=0,
    )


def truth(normal: int, anomalous: int, strength: float, *, own_noise: float = 0.0) -> np.ndarray:
    """Metrics on a data set so large that sampling error is negligible."""
    rng = np.random.default_rng(99)
    values = []
    for _ in range(6):
        samples = draw_samples(rng, 40 * normal, 40 * anomalous)
        metrics = seen_by(samples, rng, strength, own_noise=own_noise).metrics(PROTOCOL)
        values.append([metrics[name] for name in METRICS])
    return np.mean(values, axis=0)


def coverage(
    size: tuple[int, int, float], data_sets: int, *, folds: int = 1, seed: int = 0
) -> dict[str, float]:
    """Share of 95 % intervals that contain the truth, by metric."""
    normal, anomalous, strength = size
    known = truth(normal, anomalous, strength)
    hits = np.zeros(len(METRICS))
    for number in range(data_sets):
        rng = np.random.default_rng((seed, number))
        samples = draw_samples(rng, normal, anomalous)
        scored = seen_by(samples, rng, strength)
        parts = list(in_folds(scored, folds).values())
        for column, (metric, value) in enumerate(zip(METRICS, known, strict=True)):
            found = metric_interval(parts, metric)
            hits[column] += found.low <= value <= found.high
    return dict(zip(METRICS, hits / data_sets, strict=True))


def coverage_of_differences(
    size: tuple[int, int, float], data_sets: int, *, gain: float = 0.5, folds: int = 1
) -> dict[str, float]:
    """Coverage for the paired difference of two settings, one with a signal stronger by `gain`."""
    normal, anomalous, strength = size
    known = truth(normal, anomalous, strength + gain, own_noise=0.7)
    known = known - truth(normal, anomalous, strength, own_noise=0.7)
    hits = np.zeros(len(METRICS))
    for number in range(data_sets):
        rng = np.random.default_rng((1, number))
        samples = draw_samples(rng, normal, anomalous)
        better, worse = (
            list(in_folds(seen_by(samples, rng, signal, own_noise=0.7), folds).values())
            for signal in (strength + gain, strength)
        )
        for column, (metric, value) in enumerate(zip(METRICS, known, strict=True)):
            found = difference_interval(better, worse, metric)
            hits[column] += found.low <= value <= found.high
    return dict(zip(METRICS, hits / data_sets, strict=True))


def in_folds(scored: Predictions, folds: int) -> dict[str, Influence]:
    """Influences of samples that are distributed evenly over folds."""
    if folds == 1:
        return influences({"part/all": scored}, PROTOCOL)
    positions = np.arange(len(scored.names))
    return pooled_folds(
        {
            f"part/fold{k}": fold_influence(only(scored, positions % folds == k), PROTOCOL)
            for k in range(folds)
        }
    )


def only(scored: Predictions, kept: np.ndarray) -> Predictions:
    """The predictions of a subset of the samples."""
    names = tuple(np.array(scored.names)[kept].tolist())
    return Predictions(
        distances=scored.distances[kept],
        own_scores=None,
        rendering=RENDERING,
        maps=scored.maps[kept],
        image_scores=scored.image_scores[kept],
        masks=scored.masks[kept],
        is_anomalous=scored.is_anomalous[kept],
        groups=names,
        names=names,
        lost_regions=scored.lost_regions[kept],
        unreachable_regions=0,
        num_no_roi=0,
    )


def percentile_coverage(size: tuple[int, int, float], data_sets: int) -> dict[str, float]:
    """Coverage of the plain percentile bootstrap over groups, for comparison."""
    normal, anomalous, strength = size
    known = truth(normal, anomalous, strength)
    hits = np.zeros(len(METRICS))
    for number in range(data_sets):
        rng = np.random.default_rng((0, number))
        prepared = seen_by(draw_samples(rng, normal, anomalous), rng, strength).prepared(PROTOCOL)
        draws = []
        for _ in range(200):
            drawn = np.concatenate(
                [
                    rng.integers(anomalous, size=anomalous),
                    anomalous + rng.integers(normal, size=normal),
                ]
            )
            metrics = prepared.at(drawn)
            draws.append([metrics[name] for name in METRICS])
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        hits += (low <= known) & (known <= high)
    return dict(zip(METRICS, hits / data_sets, strict=True))


def excluded(
    size: tuple[int, int, float],
    settings: int,
    data_sets: int,
    *,
    gain: float = 0.0,
    folds: int = 1,
    own_noise: float = 1.0,
) -> tuple[float, float]:
    """How often settings are called worse than the best.

    Args:
        gain: how much stronger the defects are for the last setting; the others are equal.

    Returns:
        Share of the equal settings that are excluded, and share of the data sets in which the last
        setting is.
    """
    normal, anomalous, strength = size
    alike, last = [], []
    for number in range(data_sets):
        rng = np.random.default_rng((2, number))
        samples = draw_samples(rng, normal, anomalous)
        found = []
        for setting in range(settings):
            signal = strength + gain * (setting == settings - 1)
            found.append(in_folds(seen_by(samples, rng, signal, own_noise=own_noise), folds))
        values = np.array([parts["part"].value_of(AUPRO) for parts in found])
        tied = compare_with_best(
            values, scaled_shifts(found, AUPRO), np.zeros(settings), draws=1000
        ).is_tied
        alike.append(np.mean(~tied[:-1]))
        last.append(not tied[-1])
    return float(np.mean(alike)), float(np.mean(last))


def looks_at_test(
    repeats: int, *, settings: int = 40, normal: int = 24, anomalous: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Reported minus true image AUROC when selecting on validation, and when selecting on test."""
    rng = np.random.default_rng(3)
    quality = 1.5 + 0.15 * rng.normal(size=settings)
    big = norm.cdf(quality / 2)  # scores differ by `quality`, with a variance of 4
    once, naive = [], []
    for _ in range(repeats):
        validation = auroc_of(rng, quality, normal, anomalous)
        test = auroc_of(rng, quality, normal, anomalous)
        once.append(test[validation.argmax()] - big[validation.argmax()])
        naive.append(test.max() - big[test.argmax()])
    return np.array(once), np.array(naive)


def auroc_of(
    rng: np.random.Generator, quality: np.ndarray, normal: int, anomalous: int
) -> np.ndarray:
    """AUROC of settings on one draw of samples; half of the noise is common to all settings."""
    shared = rng.normal(size=(normal + anomalous, 1))
    scores = shared + rng.normal(size=(normal + anomalous, len(quality)))
    high, low = scores[:anomalous] + quality, np.sort(scores[anomalous:], axis=0)
    return np.array(
        [np.searchsorted(low[:, k], high[:, k]).mean() / normal for k in range(len(quality))]
    )


def main() -> None:
    """Run all simulations, print the results, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    data_sets, few = (40, 4) if quick else (300, 40)
    started = time.monotonic()
    ours, percentile, equal = [], [], []
    for size in (*NOISE, *SIZES):
        ours.append(coverage(size, data_sets))
        percentile.append(percentile_coverage(size, data_sets // 2))
        equal.append(coverage_of_differences(size, data_sets, gain=0.0))
        print(size, "one unit             ", line(ours[-1]))
        print(size, "percentile           ", line(percentile[-1]))
        print(size, "five folds           ", line(coverage(size, data_sets, folds=5)))
        for folds, where in ((1, "one unit  "), (5, "five folds")):
            null = (
                equal[-1]
                if folds == 1
                else coverage_of_differences(size, data_sets, gain=0.0, folds=5)
            )
            gained = coverage_of_differences(size, data_sets, folds=folds)
            print(size, f"{where}, equal     ", line(null))
            print(size, f"{where}, one better", line(gained), flush=True)
    ties = {}
    for size, settings in TIES:
        share = excluded(size, settings, few)[0]
        kind = "" if size[2] else "noise\n"
        ties[f"{kind}{size[0]}+{size[1]}\n{settings}"] = share
        print(size, settings, f"equal settings: {share:.1%} called worse", flush=True)
    for gain in (1.0, 2.0):
        alike, planted = excluded((24, 12, 1.2), 40, few, gain=gain)
        print(f"one of 40 better by {gain}: excluded {planted:.0%}; others excluded {alike:.0%}")
    once, naive = looks_at_test(200 if quick else 4000)
    print(
        f"reported minus true AUROC: chosen on validation {once.mean():+.4f} "
        f"(error {once.std() / len(once) ** 0.5:.4f}), best on test {naive.mean():+.4f}"
    )
    print(f"{time.monotonic() - started:.0f} s")
    if not quick:
        draw(ours, percentile, equal, ties, once, naive)


def line(rates: dict[str, float]) -> str:
    """Rates as percentages."""
    return " ".join(f"{name} {100 * rate:.0f}" for name, rate in rates.items())


def draw(
    ours: Sequence[dict[str, float]],
    percentile: Sequence[dict[str, float]],
    equal: Sequence[dict[str, float]],
    ties: dict[str, float],
    once: np.ndarray,
    naive: np.ndarray,
) -> None:
    """Draw docs/img/selection.png."""
    figure = Figure(figsize=(12.5, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(2, 1, 1.3))
    labels = [f"{n}+{a}\n{strength or 'noise'}" for n, a, strength in (*NOISE, *SIZES)]
    left.axhspan(92, 98, color="#dbe9f4", linewidth=0)
    for rates, colour, what in (
        (percentile, "#8a8a8a", "percentile bootstrap"),
        (ours, "#1f5f8b", "here"),
        (equal, "#c2410c", "here, difference of equal settings"),
    ):
        for name, mark in (("pixel_aupro", "o"), ("image_auroc", "^")):
            left.plot(
                labels, [100 * r[name] for r in rates], mark, color=colour, label=f"{what}, {name}"
            )
    left.axhline(95, color="#555555", linewidth=0.8, linestyle=":")
    left.set_title("95 % intervals that contain the truth, %", fontsize=10)
    left.set_xlabel("normal + anomalous parts; strength of a defect")
    left.set_ylim(60, 101)
    left.tick_params(axis="x", labelsize=7)
    left.legend(fontsize=6, loc="lower right")
    middle.bar(list(ties), [100 * share for share in ties.values()], color="#1f5f8b", width=0.5)
    middle.axhline(5, color="#555555", linewidth=0.8, linestyle=":")
    middle.set_title("equal settings called worse, %", fontsize=10)
    middle.set_ylim(0, 8)
    middle.tick_params(axis="x", labelsize=8)
    bins = np.linspace(-0.35, 0.25, 61)
    for errors, colour, what in (
        (once, "#1f5f8b", "chosen on validation,\ntest read once"),
        (naive, "#c2410c", "best on test"),
    ):
        right.hist(errors, bins, color=colour, alpha=0.6, label=f"{what}: {errors.mean():+.3f}")
        right.axvline(errors.mean(), color=colour)
    right.set_title("reported minus true AUROC, 40 settings", fontsize=10)
    right.set_yticks([])
    right.legend(fontsize=8)
    for axes in (left, middle, right):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(Path(__file__).parents[1] / "docs/img/selection.png", dpi=110)


if __name__ == "__main__":
    main()
