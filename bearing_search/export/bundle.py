"""Writes a detector's folder: all of it, or, if it does not decide as was trained, nothing."""

import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors.torch import save_file

from bearing_search.analysis.operating.thresholds import FoldScores
from bearing_search.data.samples import read_levels
from bearing_search.errors import ConfigError, ParityError
from bearing_search.export.default_thresholds import ChosenThresholds, default_thresholds
from bearing_search.export.int8 import quantise
from bearing_search.export.model_card import CARD_FILE, model_card
from bearing_search.export.parity import (
    TOLERANCE,
    Compared,
    Parity,
    PartSamples,
    parity_of,
    spread_of,
)
from bearing_search.export.trained import (
    Judged,
    Trained,
    TrainedPart,
    in_memory,
    judge_part,
    part_facts,
    samples_of,
    with_words,
)
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.models.inference.onnx_graph import write_onnx
from bearing_search.runtime.backends.protocol import DISTANCES, INPUT, SCORES
from bearing_search.runtime.schema import (
    BundleFacts,
    Format,
    NetworkFiles,
    PartFacts,
    Precision,
    SelfTest,
    without_paths,
    write_facts,
)
from bearing_search.runtime.verdict import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePlan:
    """What is to be written."""

    out: Path
    form: Format
    precision: Precision
    folds: Mapping[str, Sequence[FoldScores]]
    """Part -> held-out scores of the search, for its thresholds."""

    provenance: Mapping[str, Any]
    contracts: Mapping[str, ChosenThresholds]
    """Part -> thresholds that `threshold` set."""

    thresholds: Mapping[str, Thresholds]
    """Part -> thresholds that the caller gave; of parts in neither, see `default_thresholds`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A written detector."""

    folder: Path
    facts: BundleFacts
    parity: Parity


def require_free(out: Path) -> None:
    """Refuse a place where something is.

    Raises:
        ConfigError: there is something.
    """
    if out.exists() or out.is_symlink():
        raise ConfigError(f"{out}: exists already; remove it, or name another folder with --out")


def write_bundle(trained: Trained, plan: BundlePlan, tell: Callable[[str], None]) -> Exported:
    """Write a detector's folder, after it was compared with the trained one.

    Args:
        trained: the final training.
        plan: where and how.
        tell: is told what is done, and the table of the comparison.

    Raises:
        ParityError: a score or a verdict differs; nothing is left behind.
        ConfigError: the folder exists.
        ResourceError: a package that it needs is not installed.
        DataError: a training image cannot be read.
    """
    require_free(plan.out)
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    work = plan.out.with_name(f".{plan.out.name}.{secrets.token_hex(6)}.tmp")
    work.mkdir()
    try:
        facts, parity = _written(trained, plan, work, tell)
        work.rename(plan.out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Exported(folder=plan.out, facts=facts, parity=parity)


def _written(
    trained: Trained, plan: BundlePlan, work: Path, tell: Callable[[str], None]
) -> tuple[BundleFacts, Parity]:
    networks = {name: _write_network(trained, name, plan, work, tell) for name in trained.networks}
    detector = in_memory(trained)
    parts: dict[str, PartFacts] = {}
    wanted: dict[str, Sequence[Compared]] = {}
    samples: list[PartSamples] = []
    tests: list[SelfTest] = []
    for part in trained.parts:
        tell(f"{part.part}: judging {len(part.samples)} training samples with torch in fp32")
        levels = read_levels(part.samples[0])
        size = (levels[0].shape[0], levels[0].shape[1])
        found = judge_part(detector, part, size)
        parts[part.part] = _fitted(part, found, plan)
        wanted[part.part] = with_words(found.compared, parts[part.part].thresholds)
        samples.append(samples_of(part, size))
        tests += _self_test(part, found, work)
    facts = write_facts(
        work,
        BundleFacts(
            format=plan.form,
            precision=plan.precision,
            config=without_paths(trained.config),
            networks=networks,
            parts=parts,
            self_tests=tuple(tests),
            provenance=plan.provenance,
        ),
    )
    tell(f"comparing {plan.form} in {plan.precision} with it, in a fresh process")
    parity = parity_of(work, samples, wanted)
    tell(parity.table())
    if not parity.passes:
        raise ParityError(_refusal(parity, plan))
    facts = replace(facts, parity=_plain(parity))
    write_atomically(work / CARD_FILE, model_card(facts).encode())
    return write_facts(work, facts), parity


def _write_network(
    trained: Trained, name: str, plan: BundlePlan, work: Path, tell: Callable[[str], None]
) -> NetworkFiles:
    fold = trained.networks[name]
    folder = work / "networks" / name
    folder.mkdir(parents=True)
    save_file(dict(fold.tensors), folder / "weights.safetensors")
    (folder / "weights.safetensors").chmod(0o644)  # others may read a detector
    weights = f"networks/{name}/weights.safetensors"
    if plan.form == "torch":
        return NetworkFiles(weights=weights)
    tell(f"network {int(name) + 1} of {len(trained.networks)}: writing its graph")
    write_onnx(fold.network.network, folder / "model.onnx", names=(INPUT, DISTANCES, SCORES))
    if plan.precision == "int8":
        quantise(folder / "model.onnx")
    return NetworkFiles(weights=weights, graph=f"networks/{name}/model.onnx")


def _fitted(part: TrainedPart, found: Judged, plan: BundlePlan) -> PartFacts:
    thresholds = plan.thresholds.get(part.part)
    if thresholds is None and part.part in plan.contracts:
        thresholds = plan.contracts[part.part].of_model(found.calibration)
    if thresholds is None:
        thresholds = default_thresholds(plan.folds[part.part], found.calibration)
    normal = {sample.title for sample in part.samples if not sample.is_anomalous}
    scores = [one.score for one in found.compared if one.score is not None and one.name in normal]
    return replace(
        part_facts(part),
        thresholds=thresholds,
        score_tolerance=TOLERANCE[plan.precision] * spread_of(scores),
        normal=found.normal,
        normal_samples=found.reference,
    )


def _self_test(part: TrainedPart, found: Judged, work: Path) -> list[SelfTest]:
    """The sample with the median score of those set aside, or of all normal ones."""
    by_title = {sample.title: sample for sample in part.samples}
    scored = [one for one in found.compared if one.score is not None and not one.is_adversarial]
    unseen = [one for one in scored if one.name in part.aside]
    pool = unseen or [one for one in scored if not by_title[one.name].is_anomalous] or scored
    if not pool:
        return []
    chosen = sorted(pool, key=lambda one: (one.score, one.name))[len(pool) // 2]
    folder = Path("self_test") / str(part.network) / str(len(list(work.glob("self_test/*/*"))))
    (work / folder).mkdir(parents=True)
    names = []
    for number, level in enumerate(read_levels(by_title[chosen.name])):
        name = (folder / f"b{number}.png").as_posix()
        pixels = level if level.ndim == 2 else np.ascontiguousarray(level[..., ::-1])
        write_atomically(work / name, cv2.imencode(".png", pixels)[1].tobytes())
        names.append(name)
    assert chosen.score is not None
    return [SelfTest(part=part.part, levels=tuple(names), score=chosen.score)]


def _refusal(parity: Parity, plan: BundlePlan) -> str:
    flips = sum(len(part.flips) for part in parity.parts)
    beyond = sum(len(part.beyond) for part in parity.parts)
    count = sum(part.compared + part.adversarial for part in parity.parts)
    return (
        f"{plan.form} in {plan.precision} does not decide as the trained detector: of {count} "
        f"samples {flips} verdicts flip and {beyond} scores are too far away (table above). "
        "Nothing was written; use --precision fp32 or another --format"
    )


def _plain(parity: Parity) -> dict[str, Any]:
    return {"passed": parity.passes, **asdict(parity)}
