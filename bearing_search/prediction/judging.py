"""Judges one sample after the other: nothing is kept of those that are done."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bearing_search.errors import ConfigError
from bearing_search.prediction.inputs import Inputs, find_inputs
from bearing_search.prediction.light import light_flaw
from bearing_search.prediction.overlays import Overlays
from bearing_search.prediction.pairing import InputSample
from bearing_search.prediction.pixel_limit import size_flaw
from bearing_search.prediction.regions import largest_region
from bearing_search.prediction.results import Outcome, SampleResult
from bearing_search.runtime.detector import Detector, load_detector
from bearing_search.runtime.verdict import Verdict

Only = str
"""Which samples are shown: `` all, `ng`, or `not-ok`."""

ONLY: tuple[Only, ...] = ("", "ng", "not-ok")


@dataclass(slots=True, kw_only=True)
class Prediction:
    """Samples that a detector judges, one by one, while they are iterated over."""

    detector: Detector
    inputs: Inputs
    overlays: Overlays | None = None
    only: Only = ""
    """Which samples get an overlay."""

    load_s: float = 0.0
    """Seconds that loading networks took so far; in no sample's time."""

    _ready: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.inputs.samples)

    def __iter__(self) -> Iterator[SampleResult]:
        for one in self.inputs.samples:
            if one.flaw is None:
                self._load(one.sample.part)
            yield self._judged(one)

    def _load(self, part: str) -> None:
        """Load the network of a part, and run it once: the first run is slower."""
        network = self.detector.part_facts(part).network
        if network in self._ready:
            return
        begun = time.perf_counter()
        warm_up(self.detector, network)
        self._ready.add(network)
        self.load_s += time.perf_counter() - begun

    def _judged(self, one: InputSample) -> SampleResult:
        result, verdict = judge_one(self.detector, one)
        if self.overlays is None or not is_shown(result, self.only):
            return result
        return replace(result, overlay=self.overlays.draw(result, verdict))


def warm_up(detector: Detector, network: str) -> None:
    """Load a network of a detector, and run it once on black pictures.

    Raises:
        BundleError, ResourceError: it cannot be loaded.
    """
    side = detector.config.encoder.input_px
    count = 1 if detector.config.fusion == "channels" else 3
    detector.run(network, np.zeros((count, side, side, 3), dtype=np.uint8))


def judge_one(detector: Detector, one: InputSample) -> tuple[SampleResult, Verdict]:
    """The row of one sample, and the verdict that it was made of, with its map.

    Raises:
        ConfigError: the detector does not know its part.
        BundleError, ResourceError: the network cannot be loaded.
    """
    begun = time.perf_counter()
    verdict = one.flaw or _verdict(detector, one)
    word: Outcome = verdict.word
    reason = verdict.reason
    if verdict.score is not None and verdict.brightness is not None:
        normal = detector.part_facts(verdict.part).normal
        if flaw := light_flaw(verdict.brightness, normal):
            word, reason = "wrong light", f"{verdict.name}: {flaw}"
    result = SampleResult(
        word=word,
        part=verdict.part,
        sample=one.sample.title,
        files=tuple(str(file) for file in one.sample.levels),
        score=verdict.score,
        thresholds=verdict.thresholds,
        margin=verdict.margin,
        region=largest_region(verdict),
        shape=verdict.shape,
        window=verdict.window,
        brightness=verdict.brightness,
        seconds=time.perf_counter() - begun,
        reason=reason,
        notes=verdict.notes,
    )
    return result, verdict


def _verdict(detector: Detector, one: InputSample) -> Verdict:
    sample = one.sample
    for level in sample.levels:
        if flaw := size_flaw(Path(str(level))):
            return Verdict(word="unreadable", part=sample.part, name=sample.title, reason=flaw)
    return detector.judge_prepared([detector.prepare(sample)])[0]


def predict(
    detector: Detector | str | Path,
    images: Sequence[str | Path] | str | Path,
    *,
    part: str = "",
    out: str | Path | None = None,
    only: Only = "",
    threads: int = 0,
) -> Prediction:
    """Judge pictures with an exported detector.

    Nothing is read before the result is iterated over, so memory does not grow with the number of
    samples:

        for result in bearing_search.predict("first-detector", "line/2026-11-30"):
            print(result.sample, result.word, result.score)

    Args:
        detector: from `load_detector`, or its folder.
        images: folders, patterns, manifests or files; levels of a sample are named `x_b0`, `x_b1`.
        part: of pictures whose folder or manifest names none.
        out: folder for overlays, which must not exist or be empty; None: none are drawn.
        only: samples that get an overlay: all, `ng`, or `not-ok`.
        threads: that a network may use; 0: as the program that runs it decides. Only with a folder.

    Raises:
        BundleError: the detector's folder cannot be used.
        ConfigError: a part is not known, `only` is none of the three, or `out` is in use.
        DataError: there is no image.
    """
    if only not in ONLY:
        raise ConfigError(f"only is {only!r}; wanted {' or '.join(filter(None, ONLY))}")
    loaded = (
        detector if isinstance(detector, Detector) else load_detector(detector, threads=threads)
    )
    named = [images] if isinstance(images, str | Path) else list(images)
    inputs = find_inputs(named, loaded.parts, part)
    overlays = None if out is None else Overlays.create(Path(out), loaded)
    return Prediction(detector=loaded, inputs=inputs, overlays=overlays, only=only)


def is_shown(result: SampleResult, only: Only) -> bool:
    """Whether a sample is among those that were asked for."""
    return not only or result.word == "NG" or (only == "not-ok" and result.word != "OK")
