"""A threshold that keeps a promise, from the held-out samples of a sweep's chosen trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from rich.console import Console

from bearing_search.analysis.contracts.contract import Contract, Costs
from bearing_search.analysis.contracts.decision import Shortfall
from bearing_search.analysis.contracts.judged_part import JudgedPart, judge
from bearing_search.analysis.contracts.views import EACH, view_rule
from bearing_search.analysis.intervals import LEVEL
from bearing_search.analysis.postprocess_settings import rendered
from bearing_search.api.evaluation import chosen_trial
from bearing_search.config import FIRST_SCHEME, TrialConfig, config_digest, to_plain
from bearing_search.data.fold_key import FoldKey
from bearing_search.errors import ConfigError, DataError, PromiseError
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.evaluation.predictions import Predictions
from bearing_search.filesystem.atomic import write_atomically, write_json
from bearing_search.plots.montage import write_png
from bearing_search.reporting.contracts.contract_json import FILE, Source, part_content, stored
from bearing_search.reporting.contracts.contract_page import contract_page
from bearing_search.reporting.contracts.histogram import histogram_png
from bearing_search.reporting.contracts.shown_inputs import shown_inputs
from bearing_search.reporting.contracts.wrong_picture import Inputs, wrong_picture
from bearing_search.session.comparison import refuse_incomparable
from bearing_search.session.inputs import with_bits
from bearing_search.session.postprocessing import tuned
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.status import sweep_status
from bearing_search.trial_history.held_out_defects import drawn_parts
from bearing_search.trial_history.records import trial_config


class ThresholdOptions(TypedDict, total=False):
    """Options of `threshold`; each is a flag of the command as well."""

    max_miss: float | None
    """Largest rate of missed defective groups, in (0, 1). One of this, the next and `cost`."""

    max_overkill: float | None
    """Largest rate of normal groups judged NG, in (0, 1)."""

    cost: Mapping[str, float] | None
    """Cost of a `miss` and of an `overkill`, and the share of `defects` in production."""

    confidence: float
    """Of each bound, one-sided. Default: .95."""

    reinspect: float
    """Share of normal groups that people can inspect again. Default: 0, no band."""

    views: str
    """`each` (default), `any`, `mean`, or `k-of-n`: how the views of a group make its verdict."""

    part: str | None
    """The part. Default: all."""

    p_values: bool
    """Whether the page shows conformal p-values. Default: False."""

    out: str | Path | None
    """Folder of pages and pictures. Default: `threshold` in the sweep's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdReport:
    """The thresholds of one trial, and where they were written."""

    source: Source
    parts: Mapping[str, JudgedPart]
    page: str
    """The conclusions, as Markdown."""

    file: Path
    """`threshold.json` in the sweep's folder."""

    folder: Path
    """Folder of pages and pictures, some of each part."""

    @property
    def content(self) -> dict[str, Any]:
        """What `--json` prints: the content of the file, of these parts only."""
        parts = {name: part_content(one) for name, one in self.parts.items()}
        return {**self.source.content, "parts": parts}


def contract_of(options: ThresholdOptions) -> Contract:
    """What the options ask for.

    Raises:
        ConfigError: not exactly one thing is asked, or a value is out of range.
    """
    cost = options.get("cost")
    costs = None
    if cost is not None:
        if not {"miss", "overkill"} <= cost.keys() <= {"miss", "overkill", "defects"}:
            raise ConfigError(
                f"--cost {','.join(cost)}: wanted miss=COST,overkill=COST and, if you know it, "
                "defects=SHARE of defective groups in production"
            )
        costs = Costs(**cost)
    return Contract(
        views=view_rule(options.get("views", EACH)),
        max_miss=options.get("max_miss"),
        max_overkill=options.get("max_overkill"),
        costs=costs,
        confidence=options.get("confidence", LEVEL),
        reinspect=options.get("reinspect", 0.0),
    )


def threshold(
    folder: SweepFolder,
    trial: int | None = None,
    console: Console | None = None,
    **options: Unpack[ThresholdOptions],
) -> ThresholdReport:
    """Decide on the thresholds of a trial and write them; test stays sealed.

    Args:
        folder: the sweep.
        trial: its number. None: the one to use.
        console: where progress is printed. None: stdout.
        options: the contract.

    Raises:
        ConfigError: the contract cannot be read, or there is no such part.
        PromiseError: the held-out samples cannot prove it; nothing is written.
        SweepError: no trial is complete, the named one is not, or it is no search.
    """
    console = console or terminal()
    contract = contract_of(options)
    refuse_incomparable([folder])
    number = chosen_trial(folder, trial, console)
    folds = _by_part(folder, number, options.get("part"))
    setting = tuned(folder.root, number, console).applied
    folds = {
        part: {key: rendered(one, setting) for key, one in found.items()}
        for part, found in folds.items()
    }
    parts = _judged(folder, number, folds, contract)
    config = with_bits(trial_config(folder.root, number), folder.record.bits)
    source = Source(
        sweep=folder.record.name,
        trial=number,
        config_digest=config_digest(to_plain(trial_config(folder.root, number)), FIRST_SCHEME),
        data_digest=folder.record.data_digest,
        setting=setting,
        trials_compared=sum(t.state == "complete" for t in sweep_status(folder).trials),
    )
    shows_p_values = options.get("p_values", False)
    page = contract_page(source, list(parts.values()), shows_p_values=shows_p_values)
    out = options.get("out")
    target = folder.root / "threshold" if out is None else Path(out)
    target.mkdir(parents=True, exist_ok=True)
    for part, judged in parts.items():
        own = contract_page(source, [judged], shows_p_values=shows_p_values)
        write_atomically(target / f"threshold_{part}.md", own.encode())
        write_atomically(target / f"threshold_{part}.png", histogram_png(judged))
        picture = target / f"wrong_{part}.png"
        picture.unlink(missing_ok=True)
        if judged.wrong:
            inputs = _inputs(folder, config, judged, console)
            write_png(wrong_picture(judged, folds[part], inputs), picture)
    file = folder.root / FILE
    write_json(file, stored(file, source, parts))
    return ThresholdReport(source=source, parts=parts, page=page, file=file, folder=target)


def _by_part(
    folder: SweepFolder, number: int, wanted: str | None
) -> dict[str, dict[str, Predictions]]:
    found: dict[str, dict[str, Predictions]] = {}
    for key, scored in fold_predictions(folder.trial_folder(number)).items():
        found.setdefault(FoldKey.parse(key).part, {})[key] = scored
    if wanted is None:
        return found
    if wanted not in found:
        raise ConfigError(
            f"--part {wanted}: trial {number} of {folder.record.name} has no such part; it has "
            f"{', '.join(found)}"
        )
    return {wanted: found[wanted]}


def _judged(
    folder: SweepFolder,
    number: int,
    folds: Mapping[str, Mapping[str, Predictions]],
    contract: Contract,
) -> dict[str, JudgedPart]:
    drawn = drawn_parts(folder.trial_folder(number))
    found: dict[str, JudgedPart] = {}
    refused: list[str] = []
    for part, scored in folds.items():
        is_drawn = part in drawn
        if is_drawn and contract.max_overkill is None:
            refused.append(
                f"{part}: its held-out defects are drawn, which proves nothing about real ones; "
                "ask for --max-overkill, or put defects into train"
            )
            continue
        judged = judge(part, scored, contract, has_drawn_defects=is_drawn)
        if isinstance(judged, Shortfall):
            refused.append(f"{part}: {judged.text}")
        else:
            found[part] = judged
    if refused:
        raise PromiseError(
            f"trial {number} of {folder.record.name} cannot promise it: {'; '.join(refused)}"
        )
    return found


def _inputs(
    folder: SweepFolder, config: TrialConfig, judged: JudgedPart, console: Console
) -> Inputs | None:
    """Inputs of the samples to show; None, which is printed, if the data set is gone."""
    try:
        return shown_inputs(judged, config, data=folder.data, cache=folder.cache)
    except DataError as error:
        console.print(
            f"the pictures show anomaly maps alone: the data set cannot be read ({error})"
        )
        return None
