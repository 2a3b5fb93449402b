"""An exported detector, loaded: samples in, verdicts out.

Axis letters: n samples, f inputs of a sample, s side of the input, m side of the map.
"""

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bearing_search.config import TrialConfig
from bearing_search.errors import BundleError, ConfigError, TrialFailedError
from bearing_search.evaluation.anomaly_maps import PostprocessSpec, anomaly_maps
from bearing_search.runtime.backends.protocol import (
    Backend,
    NetworkSource,
    PatchDistances,
    open_backend,
)
from bearing_search.runtime.preparing import Prepared, prepare_sample
from bearing_search.runtime.schema import (
    BundleFacts,
    Format,
    PartFacts,
    Precision,
    read_facts,
)
from bearing_search.runtime.verdict import Levels, SampleLevels, Thresholds, Verdict

BATCH = 8
"""Samples that go through the network at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """An exported detector.

    Networks are loaded when they are first used. One detector may serve several threads.
    """

    folder: Path
    facts: BundleFacts
    """Content of detector.json."""

    config: TrialConfig
    """Settings of the trial."""

    form: Format
    precision: Precision
    threads: int = 0
    """Threads that a network may use; 0: as the program that runs it decides."""

    opened: dict[str, Backend] = field(default_factory=dict, repr=False, compare=False)
    """Networks that are loaded, by name."""

    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that it can judge."""
        return tuple(self.facts.parts)

    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """Part -> its thresholds."""
        return {part: facts.thresholds for part, facts in self.facts.parts.items()}

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the packages that it was trained and exported with."""
        return dict(self.facts.provenance.get("versions", {}))

    def judge(self, levels: Levels, part: str, *, name: str = "") -> Verdict:
        """The verdict on one sample.

        Args:
            levels: its brightness levels, brightness 0 first: files or arrays.
            part: one of `parts`.
            name: for messages; empty: the first file's.

        Raises:
            ConfigError: it knows no such part.
            BundleError, ResourceError: its network cannot be loaded.
        """
        return self.judge_all([SampleLevels(part=part, levels=levels, name=name)])[0]

    def judge_all(self, samples: Sequence[SampleLevels]) -> list[Verdict]:
        """The verdicts on any number of samples, in order; scores do not depend on the others.

        Raises:
            ConfigError, BundleError, ResourceError: as for `judge`.
        """
        verdicts: list[Verdict] = []
        for start in range(0, len(samples), BATCH):
            prepared = [self.prepare(one) for one in samples[start : start + BATCH]]
            verdicts += self.judge_prepared(prepared)
        return verdicts

    def prepare(self, sample: SampleLevels) -> Prepared | Verdict:
        """The network's input of a sample, or a verdict without a score.

        Raises:
            ConfigError: it knows no such part.
        """
        return prepare_sample(sample, self.part_facts(sample.part), self.config)

    def judge_prepared(self, prepared: Sequence[Prepared | Verdict]) -> list[Verdict]:
        """The verdicts on prepared samples, in order; verdicts among them stay as they are.

        Raises:
            BundleError, ResourceError: a network cannot be loaded.
        """
        found: list[Prepared | Verdict] = list(prepared)
        by_network: dict[str, list[int]] = {}
        for index, one in enumerate(found):
            if isinstance(one, Prepared):
                by_network.setdefault(self.part_facts(one.part).network, []).append(index)
        for network, indices in by_network.items():
            batch = [one for index in indices if isinstance(one := found[index], Prepared)]
            for index, verdict in zip(indices, self._judged(network, batch), strict=True):
                found[index] = verdict
        return [one for one in found if isinstance(one, Verdict)]

    def run(self, network: str, pixels: np.ndarray) -> PatchDistances:
        """What a network says about its inputs, (n s s 3) bytes.

        Raises:
            BundleError, ResourceError: it cannot be loaded.
        """
        return self._backend(network)(pixels)

    def part_facts(self, part: str) -> PartFacts:
        """What belongs to a part.

        Raises:
            ConfigError: it knows no such part.
        """
        if part not in self.facts.parts:
            raise ConfigError(
                f"part {part}: this detector knows {', '.join(self.parts)}; name one of them"
            )
        return self.facts.parts[part]

    def rendered(self, prepared: Prepared, said: PatchDistances) -> Verdict:
        """The verdict on one sample, by what its network said about its inputs."""
        part = self.part_facts(prepared.part)
        own = None if said.own_scores is None else said.own_scores[None]
        base = Verdict(word="no ROI", part=prepared.part, name=prepared.name)
        try:
            # one by one: `outside_as_lowest` would look at the other samples
            made = anomaly_maps(said.distances[None], own, self._spec(), prepared.map_roi[None])
        except TrialFailedError as error:
            return replace(base, reason=f"{prepared.name}: {error}")
        score = float(made.image_scores[0])
        if not math.isfinite(score):
            return replace(base, word="unreadable", reason=f"{prepared.name}: its score is {score}")
        return replace(
            base,
            word=part.thresholds.word(score),
            score=score,
            thresholds=part.thresholds,
            anomaly_map=made.maps[0],
            region=None if made.region is None else made.region[0],
            window=prepared.window,
            picture_px=prepared.picture_px,
            shape=prepared.shape,
            brightness=prepared.brightness,
            notes=prepared.notes,
        )

    def _judged(self, network: str, batch: Sequence[Prepared]) -> Iterator[Verdict]:
        said = self.run(network, np.concatenate([one.inputs for one in batch]))
        start = 0
        for one in batch:
            here = slice(start, start + len(one.inputs))
            start = here.stop
            own = None if said.own_scores is None else said.own_scores[here]
            yield self.rendered(one, PatchDistances(distances=said.distances[here], own_scores=own))

    def _backend(self, network: str) -> Backend:
        with self._lock:
            if network not in self.opened:
                source = NetworkSource(
                    folder=self.folder,
                    files=self.facts.networks[network],
                    config=self.config,
                    precision=self.precision,
                    threads=self.threads,
                )
                self.opened[network] = open_backend(self.form, source)
            return self.opened[network]

    def _spec(self) -> PostprocessSpec:
        config = self.config
        return PostprocessSpec(
            detector=config.detector,
            fusion=config.fusion,
            input_px=config.encoder.input_px,
            map_px=config.protocol.map_px,
            postprocess=config.postprocess,
        )


def load_detector(
    folder: str | Path, *, threads: int = 0, runs_torch: bool = False, verifies: bool = True
) -> Detector:
    """Load an exported detector.

    Args:
        folder: written by `export`.
        threads: that a network may use; 0: as the program that runs it decides.
        runs_torch: whether its weights are run by torch in fp32 instead of its own format.
        verifies: whether the SHA-256 of every file is compared.

    Raises:
        BundleError: a file is missing or altered, or it was written by another version.
    """
    place = Path(folder)
    facts = read_facts(place, verifies_files=verifies)
    try:
        config = facts.trial
    except ConfigError as error:
        raise BundleError(f"{place}: {error}; export the detector again") from None
    unknown = {part.network for part in facts.parts.values()} - set(facts.networks)
    if unknown or not facts.parts:
        raise BundleError(f"{place}: a part without a network; export the detector again")
    return Detector(
        folder=place,
        facts=facts,
        config=config,
        form="torch" if runs_torch else facts.format,
        precision="fp32" if runs_torch else facts.precision,
        threads=threads,
    )
