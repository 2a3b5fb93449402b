"""Writes the tables and figures of a reproduction to its folder, from the results of its runs."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bearing_search.analysis.subsets import kinds_in_training
from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet, load_data_set
from bearing_search.evaluation.prediction_files import load_predictions
from bearing_search.evaluation.predictions import Predictions
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.reproduction.chart import draw_chart
from bearing_search.reproduction.crossed import Run
from bearing_search.reproduction.html_page import html_page
from bearing_search.reproduction.measure import TableData, kind_rows, table_data
from bearing_search.reproduction.open_choices import CHOICES, choice_rows, markdown_table
from bearing_search.reproduction.pages import csv_text, json_text, long_rows, markdown_page
from bearing_search.reproduction.pictures import Shown, draw_comparison, scale_end, shown_samples
from bearing_search.reproduction.published import ENCODER_STATES, EncoderState, detector_titles
from bearing_search.reproduction.texts import Facts
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.study.grid import grid_points
from bearing_search.trial_history.records import TrialRecord

TABLE_JSON = "table2.json"
FIGURE_9 = "Figure 9: losses and patch average precision while the encoder is fine-tuned"
FIGURE_10 = "Figure 10: reconstruction and patch classification after fine-tuning"
_ARTIFACTS = {FIGURE_9: ("fig9", ("curves",)), FIGURE_10: ("fig10", ("reconstruction", "patches"))}
"""Heading -> prefix of our files, and prefixes of the pictures that fine-tuning saved in a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    """Config and folder of a complete trial."""

    config: TrialConfig
    folder: Path

    @property
    def encoder(self) -> EncoderState:
        return ENCODER_STATES[1 if self.config.finetune.epochs else 0]


def is_table_2(configs: Sequence[TrialConfig]) -> bool:
    """Whether detector, encoder state, parts and seed uniquely identify the runs."""
    kinds = {(c.detector, bool(c.finetune.epochs), c.parts, c.seed) for c in configs}
    return len(kinds) == len(configs)


def write_report(folder: SweepFolder, records: Sequence[TrialRecord]) -> TableData:
    """Write table2.{csv,md,html,png} and fig8_*, fig9_*, fig10_* from the complete runs.

    Args:
        folder: folder of a reproduction for which `is_table_2` holds.
        records: all trials of the sweep, of which at least one is complete.

    Returns:
        The numbers of the table.
    """
    space = folder.space()
    trained = [
        _Trained(config=space.trial(record.suggestion), folder=folder.trial_folder(record.number))
        for record in records
        if record.state == "complete"
    ]
    data = load_data_set(folder.data)
    designed = [space.trial(point) for point in grid_points(space, folder.record.digest_scheme)]
    runs = [run for one in trained for run in _runs(one)]
    protocol = trained[0].config.protocol
    kinds = {
        part: found
        for one in trained
        for part, found in kinds_in_training(one.config, data).items()
    }
    measured = replace(table_data(runs, protocol), kinds=kind_rows(runs, protocol, kinds))
    facts = Facts(
        name=folder.record.name,
        question=space.question,
        planned=sum(len(data.chosen_parts(config.parts)) for config in designed),
        data=str(folder.data),
        is_rendered=(folder.data / "truth.json").exists(),
        map_px=protocol.map_px,
        fpr_limit=protocol.fpr_limit,
        synthetic_parts=_synthetic_parts(trained),
        versions={**folder.record.versions, "commit": folder.record.git_commit or "unknown"},
        space_text=folder.record.space_text,
        notes=folder.record.notes,
    )
    rows = long_rows(measured, facts)
    write_atomically(folder.root / "table2.csv", csv_text(rows).encode())
    write_atomically(folder.root / TABLE_JSON, json_text(measured, facts, rows).encode())
    chart = folder.root / "table2.png"
    draw_chart(measured, facts, chart)
    figures: Mapping[str, Sequence[Path]] = {
        "Table 2 as a chart": [chart],
        "Figure 8: anomaly maps of both encoders": list(_comparisons(folder, data, trained, runs)),
        **{heading: list(_collected(folder.root, trained, heading)) for heading in _ARTIFACTS},
    }
    figures = {heading: files for heading, files in figures.items() if files}
    names = {heading: [file.name for file in files] for heading, files in figures.items()}
    page = markdown_page(measured, facts, names, f"## {CHOICES}\n\n{markdown_table()}")
    write_atomically(folder.root / "table2.md", page.encode())
    page = html_page(measured, facts, figures, choice_rows())
    write_atomically(folder.root / "table2.html", page.encode())
    return measured


def _runs(one: _Trained) -> Iterator[Run]:
    for file in sorted(one.folder.glob("*/*/scored.npz")):
        yield Run(
            detector=one.config.detector,
            encoder=one.encoder,
            part=file.parent.parent.name,
            seed=one.config.seed,
            file=file,
        )


def _comparisons(
    folder: SweepFolder, data: DataSet, trained: Sequence[_Trained], runs: Sequence[Run]
) -> Iterator[Path]:
    """Draw figure 8 for each detector and part that has both encoders, at their first seed."""
    for detector in sorted({run.detector for run in runs}, key=list(detector_titles()).index):
        config = next(one.config for one in trained if one.config.detector == detector)
        pairs: dict[str, Shown] = {}
        found: list[Predictions] = []
        for part in sorted({run.part for run in runs}):
            pair = _pair(detector, part, runs)
            if pair is None:
                continue
            before, after = (load_predictions(run.file) for run in pair)
            found += [before, after]
            pairs[part] = shown_samples(
                before, after, config=config, part=part, data=data, cache=folder.cache
            )
        end = scale_end(found) if found else 0.0
        for part, shown in pairs.items():
            file = folder.root / f"fig8_{detector}_{file_part(part)}.png"
            draw_comparison(shown, file, detector=detector, part=part, end=end)
            yield file


def _pair(detector: str, part: str, runs: Sequence[Run]) -> tuple[Run, Run] | None:
    of_cell = {
        (run.seed, run.encoder): run
        for run in runs
        if run.detector == detector and run.part == part
    }
    before, after = ENCODER_STATES
    both = [seed for seed, state in of_cell if state == before and (seed, after) in of_cell]
    return (of_cell[min(both), before], of_cell[min(both), after]) if both else None


def _collected(root: Path, trained: Sequence[_Trained], heading: str) -> Iterator[Path]:
    """Copy the pictures that fine-tuning drew, for the first seed of each detector."""
    prefix, kinds = _ARTIFACTS[heading]
    tuned = [one for one in trained if one.encoder == ENCODER_STATES[1]]
    for one in tuned:
        rivals = [t.config.seed for t in tuned if t.config.detector == one.config.detector]
        for kind in kinds if one.config.seed == min(rivals) else ():
            for picture in sorted((one.folder / "artifacts").glob(f"{kind}_*.png")):
                part = picture.stem.removeprefix(f"{kind}_")
                copy = root / f"{prefix}_{one.config.detector}_{file_part(part)}_{kind}.png"
                shutil.copyfile(picture, copy)
                yield copy


def _synthetic_parts(trained: Sequence[_Trained]) -> list[str]:
    found = set()
    for one in trained:
        for file in one.folder.glob("*/*/unit.json"):
            tags = json.loads(file.read_text(encoding="utf-8"))["tags"]
            found |= {
                name.removeprefix("defects/")
                for name, kind in tags.items()
                if name.startswith("defects/") and kind == "synthetic"
            }
    return sorted(found)


def file_part(part: str) -> str:
    """A part's name, made safe for use in a file name."""
    return re.sub(r"[^\w.-]", "-", part)
