"""`check`: checks a search space, a data set, or both."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bearing_search.cli.options import AsJson, Results
from bearing_search.cli.output import say_json
from bearing_search.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bearing_search.api.check import DataReport, PartReport
    from bearing_search.search_space.space import SearchSpace

_HEADINGS = {
    "leak": "leaks: `run`, `train` and `evaluate` refuse this data",
    "problem": "unusable",
    "warning": "warnings",
    "note": "what this data can show",
}
"""Severity of findings -> heading."""


def check(
    target: Annotated[
        str,
        typer.Argument(help="A search space (YAML file or shipped name), or a data folder."),
    ],
    data: Annotated[
        str | None, typer.Option(help="Folder of the data set for a space, or `demo`.")
    ] = None,
    weights: Annotated[
        bool, typer.Option(help="For a space: load the encoder's weights, as `run` will.")
    ] = True,
    results: Results = Path("results"),
    json: AsJson = False,
) -> int:
    """Check a search space, a data set, or both; start nothing.

    `demo` is both the space and the rendered data. Exit status 3: unusable data; 8: a leak.
    """
    from bearing_search.session.terminal import terminal

    console = terminal(stderr=json)
    space, data = _resolved(target, data)
    told: dict[str, Any] = {}
    status = 0
    if space is not None:
        told["space"] = _print_space(space, target, console)
    if data is not None:
        from bearing_search.api.check import check_data

        report = check_data(data, space=space, results=results, console=console)
        status = report.exit_status
        _print_data(report, console)
        told["data"] = asdict(report)
        if space is not None and report.is_usable:
            _print_plan(report, space, console)
    if space is not None and weights:
        told["weights_sha256"] = _print_weights(space, results, console)
    if json:
        say_json(told | {"status": status})
    if not status:
        console.print("all is well; nothing was started")
    return status


def _resolved(target: str, data: str | None) -> tuple[SearchSpace | None, str | None]:
    """The space and the data that the arguments name.

    Raises:
        ConfigError: the target is neither, or two data sets are named.
    """
    from bearing_search.search_space.shipped import find_space
    from bearing_search.search_space.yaml_file import load_search_space

    if target == "demo":
        return load_search_space(find_space(target)), data or target
    if Path(target).is_dir():
        if data is not None:
            raise ConfigError(f"{target}: is a data folder, and --data names another. Omit one.")
        return None, target
    try:
        return load_search_space(find_space(target)), data
    except ConfigError as error:
        if Path(target).suffix or Path(target).exists():
            raise
        raise ConfigError(f"{error}, or the folder of a data set") from None


def _print_space(space: SearchSpace, name: str, console: Console) -> dict[str, Any]:
    from bearing_search.measurement import IMAGE_OBJECTIVE
    from bearing_search.search_space.conditions import condition_text

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
    objective = space.objective_spec.objectives[0].metric
    if not space.objective_spec.names_first:
        objective = f"{objective}, or {IMAGE_OBJECTIVE} if masks are missing"
    console.print(
        f"  objective {objective}, mean over folds of train and all parts; folds: {number}"
    )
    for one in space.objective_spec.others:
        console.print(f"  also {one}, of the whole trial")
    for constraint in space.objective_spec.constraints:
        console.print(f"  a recommended setting meets {constraint}")
    return {"question": space.question, "parameters": parameters}


def _print_weights(space: SearchSpace, results: Path, console: Console) -> str:
    from bearing_search.session.preflight import check_models, edge_configs

    with console.status("loading the encoder's weights"):
        sha256 = check_models(edge_configs(space), cache=results / "cache")
    encoder = space.trial(space.default_suggestion()).encoder
    console.print(f"encoder {encoder.name}, weights sha256 {sha256}")
    return sha256


def _print_data(report: DataReport, console: Console) -> None:
    from bearing_search.measurement import IMAGE_OBJECTIVE
    from bearing_search.session.leak_gate import sentence

    console.print(f"\ndata {report.data} (digest of train {report.digest})")
    console.print(_table(report.parts))
    for part in report.parts:
        console.print(f"  {_pictures_line(part)}")
    if report.objective == IMAGE_OBJECTIVE:
        console.print(f"a search ranks settings by {report.objective}, AUROC of whole images")
    for severity, heading in _HEADINGS.items():
        found = [finding for finding in report.findings if finding.severity == severity]
        if found:
            console.print(f"{heading}:")
        for finding in found:
            console.print(f"  {sentence(finding)}")
    if report.picture:
        console.print(f"the pairs side by side: {report.picture}")


def _table(parts: Sequence[PartReport]) -> Table:
    from rich.table import Table

    table = Table("part", "levels", "train", "folds", "test", "region found", "mask lost", box=None)
    for part in parts:
        counts = part.counts
        table.add_row(
            counts.part,
            str(counts.levels),
            _samples(counts.train_normal, counts.train_anomalous, counts.train_unmasked),
            str(counts.folds) if counts.folds else "none",
            _samples(counts.test_normal, counts.test_anomalous, counts.test_unmasked),
            f"{part.found} of {part.of}",
            "no masks" if part.lost_share is None else f"{100 * part.lost_share:.1f} %",
        )
    return table


def _pictures_line(part: PartReport) -> str:
    """Sizes, bits and levels of a part's pictures, and the sizes of its defects."""
    shown = part.pictures
    sizes = list(shown.sizes.items())
    told = ", ".join(f"{count} of {size}" for size, count in sizes[:3])
    more = f" and {len(sizes) - 3} other sizes" if len(sizes) > 3 else ""
    line = f"{part.counts.part}: {told}{more}; {shown.bits} bits"
    line += f"; {shown.black_share:.0%} nearly black" if shown.black_share else ""
    line += f"; {shown.saturated_share:.0%} saturated" if shown.saturated_share else ""
    if shown.smallest is None or shown.median is None or shown.largest is None:
        return line
    defects = (shown.smallest, shown.median, shown.largest)
    areas = ", ".join(str(one.area_px) for one in defects)
    line += f"; defects, smallest, median, largest: {areas} px"
    for number, one in enumerate(shown.smallest.inputs):
        patches = ", ".join(f"{d.inputs[number].patches:.2g}" for d in defects if d.inputs)
        line += f", {patches} patches at {one.input_px}"
    return line


def _samples(normal: int, anomalous: int, unmasked: int) -> str:
    """`30 normal + 8 anomalous, 3 without mask`."""
    note = f", {unmasked} without mask" if unmasked else ""
    return f"{normal} normal + {anomalous} anomalous{note}"


def _print_plan(report: DataReport, space: SearchSpace, console: Console) -> None:
    from bearing_search.api.check import plan_costs
    from bearing_search.data.dataset import load_data_set
    from bearing_search.session.inputs import objective_lines, split_lines

    data_set = load_data_set(Path(report.data))
    console.print("plan:")
    parts = [part.counts.part for part in report.parts]
    lines = split_lines(data_set, space) + objective_lines(data_set, report.objective, parts)[:1]
    for line in lines:
        console.print(f"  {line}")
    for part, cost in plan_costs(data_set, space).items():
        console.print(f"  {part}: about {cost:.0f} iterations of the decoder's cost for each trial")
