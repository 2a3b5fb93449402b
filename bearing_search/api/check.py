"""Checks of a data set, a search space, or both; nothing is started."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.fold_key import FoldKey
from bearing_search.data.readings import with_readings
from bearing_search.data_checks.counts import Counts, count_part
from bearing_search.data_checks.findings import Finding
from bearing_search.data_checks.pictures.picture_findings import picture_findings
from bearing_search.data_checks.pictures.picture_report import (
    InputSize,
    PartPictures,
    part_pictures,
)
from bearing_search.data_checks.quality import PartFacts, facts_of_part
from bearing_search.data_checks.quality_findings import depth_findings, lost_share, quality_findings
from bearing_search.errors import DataError, LeakError
from bearing_search.search_space.objectives import ObjectiveSpec
from bearing_search.search_space.space import SearchSpace
from bearing_search.session.inputs import (
    DEMO,
    objective_of,
    resolve_data,
    train_digest,
    writable_results,
)
from bearing_search.session.leak_gate import draw, look_for_leaks, share_bar
from bearing_search.session.preflight import (
    check_images,
    edge_configs,
    file_findings,
    turned_light_findings,
)
from bearing_search.session.terminal import terminal
from bearing_search.training.folds.fold_plan import progress_of_plan, validation_plans

_PATCH = re.compile(r"_patch(?P<px>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReport:
    """Counts and regions of one part."""

    counts: Counts
    found: int
    """Samples with a region of interest."""

    of: int
    """Samples of the part."""

    pictures: PartPictures
    lost_share: float | None
    """Share of all marked pixels that lies outside the region of interest; None: no masks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What `check` found in a data set."""

    data: str
    """Folder of the data set."""

    digest: str
    """Digest of the training files."""

    objective: str
    """The metric that would rank settings: by the space, or by the labels of train."""

    parts: tuple[PartReport, ...]
    findings: tuple[Finding, ...]
    picture: str
    """File that shows suspicious pairs side by side; empty if there are none."""

    @property
    def is_usable(self) -> bool:
        """Whether a trial could run on it; leaks and warnings do not prevent that."""
        return all(finding.severity != "problem" for finding in self.findings)

    @property
    def exit_status(self) -> int:
        """Unusable data first, then leaks; warnings are allowed."""
        found = {finding.severity for finding in self.findings}
        if "problem" in found:
            return DataError.exit_status
        return LeakError.exit_status if "leak" in found else 0


def check_data(
    data: str | Path = DEMO,
    *,
    space: SearchSpace | None = None,
    results: str | Path = "results",
    console: Console | None = None,
) -> DataReport:
    """Check the images, masks, regions of interest, leaks and the split of a data set.

    Args:
        data: folder of a data set, or `demo` for the rendered demo data.
        space: what will be searched; it sets how regions are found and folds are made. Default: the
            paper's settings.
        results: folder of the cache, and of the image of suspicious pairs.
        console: where progress is printed. Default: stdout.

    Raises:
        DataError: the data set cannot be read at all; other flaws are findings of the report.
        ResourceError: the results folder cannot be written.
    """
    root = writable_results(Path(results))
    folder, data_set = resolve_data(str(data), root)
    return look_at(data_set, str(folder), space, root, console or terminal())


def look_at(
    data_set: DataSet, folder: str, space: SearchSpace | None, root: Path, console: Console
) -> DataReport:
    """Check the images, the masks, the regions of interest and the split of a data set.

    Args:
        space: its trial 0 sets how regions are found and folds are made; parts of any are used.

    Raises:
        ConfigError: the space asks for a metric of pixels, and a part has no masks.
        DataError: a file cannot be read, or all masks of a part are empty.
    """
    configs = [TrialConfig()] if space is None else edge_configs(space)
    config = configs[0]
    chosen = data_set.chosen_parts(config.parts)
    spec = ObjectiveSpec() if space is None else space.objective_spec
    objective = objective_of(data_set, spec, chosen)
    data_set = with_readings(data_set, config, cache=root / "cache")
    samples = [sample for sample in data_set.all_samples if sample.part in chosen]
    check_images(samples, console, configs)
    leaks = look_for_leaks(data_set, configs, root, console)
    findings: list[Finding] = [
        *leaks.findings,
        *file_findings(data_set, chosen),
        *turned_light_findings(samples, configs),
        *depth_findings(data_set.depths),
    ]
    parts, done = [], 0
    with share_bar("measuring brightness, levels and regions", console) as on_progress:
        for part in chosen:
            of_part = [sample for sample in samples if sample.part == part]

            def tell() -> None:
                nonlocal done
                done += 1
                on_progress(done / len(samples))

            counts, said = count_part(of_part, config.split)
            facts = facts_of_part(of_part, config.preprocess, root / "cache", on_progress=tell)
            measured = [(s, f.picture) for s, f in zip(facts.samples, facts.facts, strict=True)]
            pictures = part_pictures(measured, inputs_of(configs))
            findings += [*quality_findings(facts), *picture_findings(measured, pictures), *said]
            parts.append(_part_report(counts, facts, pictures))
    picture = draw(leaks, root)
    return DataReport(
        data=folder,
        digest=train_digest(data_set),
        objective=objective,
        parts=tuple(parts),
        findings=tuple(findings),
        picture=str(picture) if picture else "",
    )


def inputs_of(configs: Sequence[TrialConfig]) -> list[InputSize]:
    """The input sizes of the vision transformers that the configs name, smallest first."""
    named = {(c.encoder.input_px, _PATCH.search(c.encoder.name)) for c in configs}
    sizes = {(px, int(match["px"])) for px, match in named if match}
    return [InputSize(input_px=px, patch_px=patch) for px, patch in sorted(sizes)]


def _part_report(counts: Counts, facts: PartFacts, pictures: PartPictures) -> PartReport:
    found = 0 if facts.no_reference else sum(not one.no_roi for one in facts.facts)
    has_masks = any(sample.mask_files for sample in facts.samples)
    return PartReport(
        counts=counts,
        pictures=pictures,
        found=found,
        of=len(facts.facts),
        lost_share=lost_share(facts) if has_masks else None,
    )


def plan_costs(data_set: DataSet, space: SearchSpace) -> dict[str, float]:
    """Cost of one trial of the base setting by part, in iterations of the decoder.

    Raises:
        DataError: a part has too few samples for its folds.
    """
    config = space.trial(space.default_suggestion())
    costs: dict[str, float] = {}
    for plan in validation_plans(config, data_set.samples("train")):
        part = FoldKey.parse(plan.key).part
        costs[part] = costs.get(part, 0.0) + progress_of_plan(config, plan)[-1]
    return costs
