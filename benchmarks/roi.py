"""Accuracy and speed of ROI detection: the table of docs/roi.md.

    python benchmarks/roi.py [--rings ../shared/data/rings] [--ellipses 200]

Real rings (with `circles.json` in the same folder), rescaled and perturbed real rings, rendered
tall ellipses, discs with a shadow, speed and memory. Single core; prints numbers, without pass or
fail.
"""

import argparse
import math
import multiprocessing
import os
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from roi_pictures import NUM_VARIANTS, rings, shadowed_disc, tall_ellipse, variant

from bearing_search.config import Geometry, PreprocessConfig, parse
from bearing_search.data.samples import Sample
from bearing_search.preprocess.ellipse.choice import doubts
from bearing_search.preprocess.ellipse.fit import signed_distance
from bearing_search.preprocess.locate import NoRoi, RoiReference, detect, locate
from bearing_search.preprocess.pipeline import extract, fit_reference
from bearing_search.preprocess.shapes import Circle, Ellipse, Shape

WIDE = parse(PreprocessConfig, {"circle": {"radius_tolerance_px": 400}})
"""Perturbed pictures are scaled by .5 to 1.5, so a tolerance of 20 px would reject most of them."""


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rings", type=Path, default=Path("../shared/data/rings"))
    parser.add_argument("--ellipses", type=int, default=200)
    parser.add_argument("--every", type=int, default=1, help="perturb every n-th ring only")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.rings.is_dir():
        _real_rings(options.rings)
        _rescaled(options.rings)
        _perturbed(options.rings, options.every)
        _speed(options.rings)
    else:
        print(f"{options.rings}: not found, so real rings are skipped")
    _ellipses(options.ellipses)
    _shadows(options.ellipses)


def _real_rings(folder: Path) -> None:
    """As in a fold: the reference from all pictures, then each picture with delta_r 20."""
    truth = {name: circle for name, _, circle in rings(folder)}
    config = PreprocessConfig()
    offs, ratios, missing = [], [], 0
    for part, view in (("LC", "top"), ("SC", "bottom")):
        samples = [_sample(part, file) for file in sorted((folder / view).glob("*.png"))]
        reference = fit_reference(samples, config)
        for sample in samples:
            roi = extract(sample, reference, config)
            true = truth[f"{view}/{sample.name}.png"]
            if isinstance(roi, NoRoi) or not isinstance(roi.shape, Circle):
                missing += 1
                continue
            offs.append(math.hypot(roi.shape.x - true.x, roi.shape.y - true.y))
            ratios.append(abs(roi.shape.radius / true.radius - 1))
    print(
        f"real rings          found {len(offs)}/{len(offs) + missing}, centre off by "
        f"{max(offs):.2f} px at most (target 2), radius by {100 * max(ratios):.3f} % (target 1)"
    )


def _rescaled(folder: Path) -> None:
    """Enlarged so that the inner edge has the radius that the outer one should have."""
    verdicts: Counter[str] = Counter()
    pictures = rings(folder)
    for name, image, circle in pictures:
        view = [other.radius for title, _, other in pictures if title[:3] == name[:3]]
        mean, (height, width) = float(np.median(view)), image.shape
        matrix = cv2.getRotationMatrix2D((circle.x, circle.y), 0, 1.22)
        matrix[:, 2] += ((width - 1) / 2 - circle.x, (height - 1) / 2 - circle.y)
        larger = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        geometry: Geometry = "circle" if name.startswith("top") else "inverted_circle"
        found = _locate(larger, geometry, mean, PreprocessConfig())
        verdicts["inner edge" if isinstance(found, Circle) else "no ROI"] += 1
    print(f"rings at 1.22 times the scale, delta_r 20: {dict(verdicts)} (wanted: no ROI)")


def _perturbed(folder: Path, every: int) -> None:
    """One picture at a time, with a tolerance too wide to help."""
    pictures = rings(folder)
    total: Counter[str] = Counter()
    by_kind: dict[str, Counter[str]] = {}
    for index in range(0, len(pictures), every):
        name, image, circle = pictures[index]
        geometry: Geometry = "circle" if name.startswith("top") else "inverted_circle"
        other = pictures[(index + 7) % len(pictures)][1:]
        for number in range(NUM_VARIANTS):
            made = variant(image, circle, other, number, index)
            found = _locate(made.image, geometry, made.circle.radius)
            verdict = "no ROI"
            if isinstance(found, Circle):
                off = math.hypot(found.x - made.circle.x, found.y - made.circle.y)
                is_right = (
                    off <= 0.01 * image.shape[1]
                    and abs(found.radius / made.circle.radius - 1) <= 0.015
                )
                verdict = "right" if is_right else "wrong"
            total[verdict] += 1
            for kind in made.kinds:
                by_kind.setdefault(kind, Counter())[verdict] += 1
    print(f"perturbed rings     {_shares(total)} (target 99 % right, wrong under .3 %)")
    for kind, counted in sorted(by_kind.items()):
        print(f"  with {kind:14} {_shares(counted)}")


def _ellipses(number: int) -> None:
    verdicts: Counter[str] = Counter()
    faint: Counter[str] = Counter()
    for seed in range(number):
        image, true, contrast = tall_ellipse(seed)
        found = _locate(image, "ellipse", 0.0)
        verdict = "no ROI"
        if not isinstance(found, NoRoi):
            off = math.hypot(found.x - true.x, found.y - true.y)
            verdict = "right" if off <= 0.01 * 2 * true.semi_major else "wrong"
        verdicts[verdict] += 1
        if contrast < 30:
            faint[verdict] += 1
    print(f"tall ellipses       {_shares(verdicts)} (target 99 % right)")
    print(f"  contrast below 30 {_shares(faint)}")


def _shadows(number: int) -> None:
    """Discs that cast a shadow: right within 4 px, or a note says that there is doubt."""
    verdicts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for seed in range(number):
        image, true, is_bright = shadowed_disc(seed)
        found = _locate(image, "ellipse", 0.0)
        verdict = "no ROI"
        if isinstance(found, Ellipse):
            off = np.abs(signed_distance(found.boundary(360), true)[0]).max()
            wrong = "doubtful" if doubts(found) else "wrong"
            verdict = "right" if off <= 4 else wrong
        verdicts[is_bright][verdict] += 1
    for is_bright, counted in verdicts.items():
        name = "brighter than the ground" if is_bright else "darker than the ground"
        print(f"discs with a shadow, {name}: {dict(counted)}")


def _speed(folder: Path) -> None:
    """Both passes over samples of three 1280x1024 brightness levels, including decoding."""
    with tempfile.TemporaryDirectory() as scratch:
        samples = []
        for name, image, _ in rings(folder)[15:]:
            stem = Path(scratch) / name.replace("/", "-").removesuffix(".png")
            files = [stem.with_name(f"{stem.name}_b{level}.png") for level in range(3)]
            for level, file in enumerate(files):
                cv2.imwrite(str(file), (image * (0.5**level)).astype(np.uint8))
            samples.append(_sample("LC", *files))
        for workers in range(1, len(os.sched_getaffinity(0)) + 1):
            with multiprocessing.get_context("spawn").Pool(workers) as pool:
                pool.map(_extract_all, [samples[:1]] * workers)  # imports; caches one detection
                begun = time.perf_counter()
                costs = pool.map(_extract_all, [samples] * workers, chunksize=1)
                elapsed = time.perf_counter() - begun
            rate = workers * len(samples) / elapsed
            seconds = max(cost[0] for cost in costs) / len(samples)
            print(
                f"speed, processes: {workers}  {rate:.1f} samples/s; {1 / seconds:.1f} per second "
                f"of one core's time (target 15), peak memory {max(c[1] for c in costs):.0f} MB "
                "a process (target 300)"
            )


def _extract_all(samples: list[Sample]) -> tuple[float, float]:
    """Run both passes over the samples; returns CPU seconds and the process's peak memory in MB."""
    cv2.setNumThreads(1)
    begun = time.process_time()
    config = PreprocessConfig()
    reference = fit_reference(samples, config)
    for sample in samples:
        extract(sample, reference, config)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.process_time() - begun, peak_mb


def _locate(
    image: np.ndarray, geometry: Geometry, radius: float, config: PreprocessConfig = WIDE
) -> Shape | NoRoi:
    reference = RoiReference(
        part="X",
        geometry=geometry,
        num_samples=1,
        num_found=1,
        mean_radius_px=radius,
        centre=(image.shape[1] / 2, image.shape[0] / 2),
        crop_px=(2000, 2000, 2000, 2000),
    )
    return locate(image, detect(image, geometry, config), reference, config, name="picture")


def _sample(part: str, *files: Path) -> Sample:
    return Sample(
        part=part,
        split="train",
        defect="good",
        name=files[0].stem,
        group=files[0].stem,
        is_anomalous=False,
        level_files=files,
    )


def _shares(counted: Counter[str]) -> str:
    total = sum(counted.values())
    return ", ".join(
        f"{verdict} {counted[verdict]}/{total} ({100 * counted[verdict] / total:.2f} %)"
        for verdict in ("right", "no ROI", "wrong")
    )


if __name__ == "__main__":
    main()
