"""`check`: look at a question, at a data set, or at both; start nothing."""

import json as json_text
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bearing_search.cli.inputs import resolve_data, split_lines, train_digest
from bearing_search.cli.leak_gate import draw, look_for_leaks, sentence, share_bar
from bearing_search.cli.options import DEMO, AsJson, Results, find_space, terminal, writable_results
from bearing_search.cli.preflight import check_images, check_models, edge_configs
from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.fold_key import FoldKey
from bearing_search.data_checks.counts import Counts, count_part
from bearing_search.data_checks.findings import Finding, Severity
from bearing_search.data_checks.quality import PartFacts, facts_of_part
from bearing_search.data_checks.quality_findings import lost_share, quality_findings
from bearing_search.errors import ConfigError, DataError, LeakError
from bearing_search.measurement import OBJECTIVE
from bearing_search.search_space.conditions import condition_text
from bearing_search.search_space.space import SearchSpace
from bearing_search.search_space.yaml_file import load_search_space
from bearing_search.training.folds.fold_plan import progress_of_plan, validation_plans

_HEADINGS: dict[Severity, str] = {
    "leak": "leaks: `run`, `train` and `evaluate` refuse this data",
    "problem": "unusable",
    "warning": "warnings",
    "note": "what this data can show",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _PartView:
    """One line of the table."""

    counts: Counts
    found: int
    """Samples with a region of interest."""

    of: int
    lost_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _DataView:
    """A data set as `check` tells it."""

    data: str
    digest: str
    parts: tuple[_PartView, ...]
    findings: tuple[Finding, ...]
    picture: str
    """Pairs side by side; empty: there are none."""

    @property
    def exit_status(self) -> int:
        """Unusable data first, then leaks; warnings are allowed."""
        found = {finding.severity for finding in self.findings}
        if "problem" in found:
            return DataError.exit_status
        return LeakError.exit_status if "leak" in found else 0


def check(
    target: Annotated[
        str,
        typer.Argument(help="A search space (YAML file or shipped name), or a data folder."),
    ],
    data: Annotated[
        str | None, typer.Option(help="Folder of the data set for a space, or `demo`.")
    ] = None,
    weights: Annotated[
        bool, typer.Option(help="Of a space: load the encoder's weights, as `run` will.")
    ] = True,
    results: Results = Path("results"),
    json: AsJson = False,
) -> int:
    """Check a search space, a data set, or both; start nothing.

    `demo` is both the space and the rendered data. Exit status 3: unusable data; 8: a leak.
    """
    console = terminal(stderr=json)
    space, data = _resolved(target, data)
    told: dict[str, Any] = {}
    config = TrialConfig()
    if space is not None:
        config = space.trial(space.default_suggestion())
        told["space"] = _check_space(space, target, console)
    status = 0
    if data is not None:
        root = writable_results(results)
        folder, data_set = resolve_data(data, root)
        configs = edge_configs(space) if space is not None else [config]
        view = _look_at(data_set, str(folder), configs, root, console)
        status = view.exit_status
        _print_data(view, console)
        told["data"] = asdict(view)
        if space is not None and not any(f.severity == "problem" for f in view.findings):
            _print_plan(data_set, space, config, console)
    if space is not None and weights:
        with console.status("loading the encoder's weights"):
            sha256 = check_models(edge_configs(space))
        console.print(f"encoder {config.encoder.name}, weights sha256 {sha256}")
        told["weights_sha256"] = sha256
    if json:
        print(json_text.dumps(told | {"status": status}, indent=2, default=str))
    if not status:
        console.print("all is well; nothing was started")
    return status


def _resolved(target: str, data: str | None) -> tuple[SearchSpace | None, str | None]:
    """The space and the data that are meant.

    Raises:
        ConfigError: the target is neither, or two data sets are named.
    """
    if target == DEMO:
        return load_search_space(find_space(DEMO)), data or DEMO
    if Path(target).is_dir():
        if data is not None:
            raise ConfigError(f"{target}: is a data folder, and --data names another. Drop one.")
        return None, target
    try:
        return load_search_space(find_space(target)), data
    except ConfigError as error:
        if Path(target).suffix or Path(target).exists():
            raise
        raise ConfigError(f"{error}, or the folder of a data set") from None


def _check_space(space: SearchSpace, name: str, console: Console) -> dict[str, Any]:
    base = space.default_suggestion()
    folds = space.trial(base).split.folds
    console.print(space.question or name)
    parameters = {
        path: f"{parameter}{condition_text(space.conditions, path)}"
        for path, parameter in space.parameters.items()
    }
    for path, text in parameters.items():
        default = json_text.dumps(base[path]) if path in base else "not varied"
        console.print(f"  {path:38} {text}   trial 0: {default}")
    number = folds or "as many as each part's anomalous groups allow, at most 5"
    console.print(
        f"  objective {OBJECTIVE}, mean over folds of train and all parts; folds: {number}"
    )
    for one in space.objective_spec.others:
        console.print(f"  also {one}, of the whole trial")
    for constraint in space.objective_spec.constraints:
        console.print(f"  a setting to use keeps {constraint}")
    return {"question": space.question, "parameters": parameters}


def _look_at(
    data_set: DataSet, folder: str, configs: Sequence[TrialConfig], root: Path, console: Console
) -> _DataView:
    """Everything there is to say about a data set.

    Args:
        configs: the first says how regions are found and folds are made, all which parts are used.

    Raises:
        DataError: a file cannot be read.
    """
    config = configs[0]
    chosen = data_set.chosen_parts(config.parts)
    samples = [sample for sample in data_set.all_samples if sample.part in chosen]
    check_images(samples, console)
    leaks = look_for_leaks(data_set, configs, root, console)
    findings, parts, done = list(leaks.findings), [], 0
    with share_bar("measuring brightness, levels and regions", console) as on_progress:
        for part in chosen:
            of_part = [sample for sample in samples if sample.part == part]

            def tell() -> None:
                nonlocal done
                done += 1
                on_progress(done / len(samples))

            counts, said = count_part(of_part, config.split)
            facts = facts_of_part(of_part, config.preprocess, root / "cache", on_progress=tell)
            findings += [*quality_findings(facts), *said]
            parts.append(_part_view(counts, facts))
    picture = draw(leaks, root)
    return _DataView(
        data=folder,
        digest=train_digest(data_set),
        parts=tuple(parts),
        findings=tuple(findings),
        picture=str(picture) if picture else "",
    )


def _part_view(counts: Counts, facts: PartFacts) -> _PartView:
    found = 0 if facts.no_reference else sum(not one.no_roi for one in facts.facts)
    return _PartView(counts=counts, found=found, of=len(facts.facts), lost_share=lost_share(facts))


def _print_data(view: _DataView, console: Console) -> None:
    console.print(f"\ndata {view.data} (digest of train {view.digest})")
    console.print(_table(view.parts))
    for severity, heading in _HEADINGS.items():
        found = [finding for finding in view.findings if finding.severity == severity]
        if found:
            console.print(f"{heading}:")
        for finding in found:
            console.print(f"  {sentence(finding)}")
    if view.picture:
        console.print(f"the pairs side by side: {view.picture}")


def _table(parts: Sequence[_PartView]) -> Table:
    table = Table("part", "levels", "train", "folds", "test", "region found", "mask lost", box=None)
    for part in parts:
        counts = part.counts
        table.add_row(
            counts.part,
            str(counts.levels),
            f"{counts.train_normal} normal + {counts.train_anomalous} anomalous",
            str(counts.folds) if counts.folds else "none",
            f"{counts.test_normal} normal + {counts.test_anomalous} anomalous",
            f"{part.found} of {part.of}",
            f"{100 * part.lost_share:.1f} %",
        )
    return table


def _print_plan(
    data_set: DataSet, space: SearchSpace, config: TrialConfig, console: Console
) -> None:
    console.print("plan:")
    for line in split_lines(data_set, space):
        console.print(f"  {line}")
    costs: dict[str, float] = {}
    for plan in validation_plans(config, data_set.samples("train")):
        part = FoldKey.parse(plan.key).part
        costs[part] = costs.get(part, 0.0) + progress_of_plan(config, plan)[-1]
    for part, cost in costs.items():
        console.print(f"  {part}: about {cost:.0f} iterations of the decoder's cost for each trial")
