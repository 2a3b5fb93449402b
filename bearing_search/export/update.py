"""A new version of an exported detector: thresholds and light range from new normal pictures."""

import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bearing_search.errors import ParityError
from bearing_search.export.bundle import require_free
from bearing_search.export.model_card import CARD_FILE, model_card
from bearing_search.export.parity import Compared, parity_of
from bearing_search.export.refit import UpdatedPart, updated_part
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.digest import sha256_of_file
from bearing_search.prediction.inputs import find_inputs
from bearing_search.runtime.detector import Detector, load_detector
from bearing_search.runtime.schema import DETECTOR_FILE, BundleFacts, write_facts
from bearing_search.runtime.verdict import SampleLevels


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """A written version."""

    folder: Path
    facts: BundleFacts
    parts: tuple[UpdatedPart, ...]


def update_detector(
    folder: str | Path,
    normals: str | Path,
    out: str | Path,
    *,
    part: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> Updated:
    """Write a new version of a detector, whose thresholds and light range fit new normal pictures.

    The network stays as it is. `provenance` gets a line of `lineage` with the digest of the parent.

    Args:
        folder: of the detector.
        normals: pictures of good parts that the model has not seen, as `predict` takes them.
        out: folder of the new version.
        part: of pictures whose folder or manifest names none.
        tell: is told what is done.

    Raises:
        ConfigError: `out` exists, or a part is not known.
        PromiseError: a part has too few pictures.
        ParityError: the detector does not decide as torch in fp32; nothing is left behind.
        BundleError, ResourceError: the detector cannot be used.
        DataError: there is no picture.
    """
    place, target = Path(folder), Path(out)
    require_free(target)
    detector = load_detector(place)
    inputs = find_inputs([normals], detector.parts, part)
    for line in (*inputs.remarks, *inputs.problems):
        tell(line)
    by_part: dict[str, list[SampleLevels]] = {}
    for one in inputs.samples:
        if one.flaw is not None:
            tell(f"left out: {one.flaw.reason}")
        else:
            by_part.setdefault(one.sample.part, []).append(one.sample)
    torch = load_detector(place, runs_torch=True, verifies=False)
    parts = [updated_part(torch, name, own, tell) for name, own in by_part.items()]
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    work.mkdir()
    try:
        facts = _written(detector, parts, work, tell)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Updated(folder=target, facts=facts, parts=tuple(parts))


def _written(
    detector: Detector, parts: Sequence[UpdatedPart], work: Path, tell: Callable[[str], None]
) -> BundleFacts:
    facts = detector.facts
    for name in facts.files:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(detector.folder / name, work / name)
    step: dict[str, Any] = {
        "parent": sha256_of_file(detector.folder / DETECTOR_FILE),
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "normals": {one.part: len(one.scores) for one in parts},
        "ng_before": {one.part: one.before.thresholds.ng for one in parts},
        "false_alarms": {one.part: one.false_alarms and list(one.false_alarms) for one in parts},
    }
    lineage = [*facts.provenance.get("lineage", []), step]
    aside = {**facts.provenance.get("aside", {}), **step["normals"]}
    made = replace(
        facts,
        parts={**facts.parts, **{one.part: one.facts for one in parts}},
        provenance={**facts.provenance, "aside": aside, "lineage": lineage},
    )
    made = write_facts(work, made)
    tell(f"comparing {facts.format} in {facts.precision} with torch, in a fresh process")
    wanted: Mapping[str, Sequence[Compared]] = {one.part: one.compared for one in parts}
    parity = parity_of(work, [one.samples for one in parts], wanted)
    tell(parity.table())
    if not parity.passes:
        raise ParityError(
            f"{facts.format} in {facts.precision} does not decide as torch at the new thresholds "
            "(table above). Nothing was written; export in fp32 and update that"
        )
    found = {"passed": True, **asdict(parity)}
    kept = [one for one in facts.parity.get("parts", ()) if one["part"] not in wanted]
    made = replace(made, parity={**found, "parts": [*kept, *found["parts"]]})
    write_atomically(work / CARD_FILE, model_card(made).encode())
    return write_facts(work, made)
