"""A final training, opened for export: networks, what was fitted for each part, and its samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bearing_search.analysis.operating.thresholds import FoldScores
from bearing_search.config import TrialConfig, to_plain
from bearing_search.data.dataset import DataSet
from bearing_search.data.samples import Sample
from bearing_search.export.parity import Compared, PartSamples, compared_of, judged
from bearing_search.models.inference.eager import EagerNetwork
from bearing_search.preprocess.locate import RoiReference
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.runtime.backends.protocol import Backend, PatchDistances
from bearing_search.runtime.detector import Detector
from bearing_search.runtime.preparing import Prepared
from bearing_search.runtime.reference import NormalReference, NormalSample, thinned
from bearing_search.runtime.schema import QUANTILES, BundleFacts, NetworkFiles, PartFacts
from bearing_search.runtime.verdict import SampleLevels, Thresholds
from bearing_search.training.folds.deployed_fold import DeployedFold, load_deployed
from bearing_search.training.folds.final_plans import deployment_plans

_NONE_YET = Thresholds(ng=0.0, ok=0.0, rule="")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPart:
    """One part of a final training."""

    part: str
    network: str
    reference: RoiReference
    samples: tuple[Sample, ...]
    """All of its training samples, those set aside included."""

    aside: frozenset[str]
    """Titles of normal samples that the model has not seen; empty: there were too few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A final training."""

    config: TrialConfig
    networks: Mapping[str, DeployedFold]
    parts: tuple[TrainedPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What torch in fp32 says about a part."""

    compared: tuple[Compared, ...]
    """Every sample, then adversarial ones; words are those of no thresholds yet."""

    normal: Mapping[str, tuple[float, ...]]
    """As `PartFacts.normal`."""

    reference: NormalReference

    calibration: FoldScores | None
    """Scores of the samples set aside; None: there are none."""


def open_trained(
    folder: Path, config: TrialConfig, data_set: DataSet, *, cache: Path, part: str = ""
) -> Trained:
    """Open a final training.

    Args:
        folder: of the training.
        config: that it was trained with.
        data_set: that it was trained on, with readings.
        cache: of the results folder.
        part: the only part to open; empty: all of them.

    Raises:
        SweepError, WeightsError: its weights are not there.
        DataError: a training image cannot be read.
    """
    networks: dict[str, DeployedFold] = {}
    parts = []
    for plan in deployment_plans(config, data_set.samples("train")):
        wanted = [one for one in plan.parts if part in ("", one.part)]
        if not wanted:
            continue
        name = str(len(networks))
        networks[name] = load_deployed(folder / plan.key, config)
        for one in wanted:
            seen = {sample.title for sample in one.train}
            parts.append(
                TrainedPart(
                    part=one.part,
                    network=name,
                    reference=fit_reference(one.train, config.preprocess, cache=cache),
                    samples=tuple(data_set.samples("train", one.part)),
                    aside=frozenset(s.title for s in one.held_out if s.title not in seen),
                )
            )
    return Trained(config=config, networks=networks, parts=tuple(parts))


def samples_of(part: TrainedPart, size: tuple[int, int]) -> PartSamples:
    """The samples of a part, as the runtime takes them."""
    samples = (
        SampleLevels(part=part.part, levels=one.level_files, name=one.title) for one in part.samples
    )
    return PartSamples(part=part.part, samples=tuple(samples), size=size)


def in_memory(trained: Trained) -> Detector:
    """The detector run by torch in fp32, without files and thresholds."""
    facts = BundleFacts(
        format="torch",
        precision="fp32",
        config=to_plain(trained.config),
        networks={name: NetworkFiles(weights="") for name in trained.networks},
        parts={part.part: part_facts(part) for part in trained.parts},
        self_tests=(),
        provenance={},
    )
    opened = {name: _backend(fold.network) for name, fold in trained.networks.items()}
    return Detector(
        folder=Path(),
        facts=facts,
        config=trained.config,
        form="torch",
        precision="fp32",
        opened=opened,
    )


def part_facts(part: TrainedPart) -> PartFacts:
    """What was fitted to a part, without thresholds."""
    reading = part.samples[0].reading
    return PartFacts(
        network=part.network,
        reference=part.reference,
        bits=reading.bits,
        num_levels=reading.num_levels,
        thresholds=_NONE_YET,
        score_tolerance=0.0,
    )


def judge_part(detector: Detector, part: TrainedPart, size: tuple[int, int]) -> Judged:
    """Judge all samples of a part and adversarial ones.

    Args:
        detector: `in_memory`.
        part: to judge.
        size: height and width of its photographs.
    """
    samples = {sample.title: sample for sample in part.samples}
    compared: list[Compared] = []
    normal: list[NormalSample] = []
    num_no_roi = 0
    for prepared, verdict, is_odd in judged(detector, samples_of(part, size), batch=8):
        compared.append(compared_of(verdict, is_adversarial=is_odd))
        if is_odd or samples[verdict.name].is_anomalous:
            continue
        num_no_roi += verdict.word == "no ROI"
        if isinstance(prepared, Prepared):
            unseen = verdict.name in part.aside
            normal.append(normal_sample(prepared, verdict.score if unseen else None))
    aside = [one for one in compared if one.name in part.aside and one.score is not None]
    scores = np.array([one.score for one in aside], dtype=float)
    ranges = {
        "score": scores.tolist(),
        "brightness": [one.brightness for one in normal],
        "size_px": [one.size_px for one in normal if one.size_px is not None],
    }
    return Judged(
        compared=tuple(compared),
        normal={name: quantiles_of(values) for name, values in ranges.items() if values},
        reference=NormalReference(
            samples=thinned(normal), num_roi=len(normal), num_no_roi=num_no_roi
        ),
        calibration=FoldScores(
            scores=scores,
            is_anomalous=np.zeros(len(scores), dtype=bool),
            groups=tuple(samples[one.name].group for one in aside),
        )
        if aside
        else None,
    )


def with_words(compared: Sequence[Compared], thresholds: Thresholds) -> list[Compared]:
    """The same, with the verdicts of thresholds."""
    return [
        one if one.score is None else replace(one, word=thresholds.word(one.score))
        for one in compared
    ]


def normal_sample(prepared: Prepared, score: float | None) -> NormalSample:
    """What is kept of a normal sample; with a score if the model has not seen it."""
    shape = prepared.shape
    return NormalSample(
        brightness=prepared.brightness,
        score=score,
        size_px=prepared.size_px,
        centre=None if shape is None else (float(shape.x), float(shape.y)),
    )


def quantiles_of(values: Sequence[float]) -> tuple[float, ...]:
    """Quantiles (`QUANTILES`), as `PartFacts.normal` has them."""
    return tuple(float(value) for value in np.quantile(values, QUANTILES))


def _backend(network: EagerNetwork) -> Backend:
    def run(pixels: np.ndarray) -> PatchDistances:
        distances, own_scores = network(pixels)
        return PatchDistances(distances=distances, own_scores=own_scores)

    return run
