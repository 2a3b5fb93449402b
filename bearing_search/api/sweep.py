"""A sweep on disk, for notebooks: trials and settings as data frames, curves, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from rich.console import Console

from bearing_search.api.figures import Figure, figures_of, read_figure, require_file
from bearing_search.config import TrialConfig
from bearing_search.errors import SweepError
from bearing_search.reporting.test_access import TestAccessLog, test_access_log
from bearing_search.sweep.folder.sweep_folder import SweepFolder, load_sweep
from bearing_search.sweep.status import SweepStatus, sweep_status
from bearing_search.trial_history.records import SweepOutcome, trial_config

if TYPE_CHECKING:
    import pandas as pd

    from bearing_search.analysis.ranked_setting import RankedSetting
    from bearing_search.api.deploy.export import ExportOptions
    from bearing_search.api.deploy.threshold import ThresholdOptions, ThresholdReport
    from bearing_search.api.evaluation import EvaluationOptions
    from bearing_search.api.resume import ResumeOptions
    from bearing_search.export.bundle import Exported
    from bearing_search.reporting.leaderboard import Leaderboard
    from bearing_search.reporting.test_evaluation import Evaluation


class Sweep:
    """A sweep; every call reads its folder again, also while a session runs.

    Args:
        folder: of the sweep.
        outcome: how the session that just ran it ended; None: it was only opened.
    """

    def __init__(self, folder: SweepFolder, outcome: SweepOutcome | None = None) -> None:
        self.folder = folder
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"<Sweep {self.name} in {self.path.parent}>"

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.folder.record.name

    @property
    def path(self) -> Path:
        """Folder of the sweep."""
        return self.folder.root

    @property
    def status(self) -> SweepStatus:
        """Target, driver, and every trial with its state and progress.

        Raises:
            SweepError: the study cannot be read.
        """
        return sweep_status(self.folder)

    @property
    def test_access(self) -> TestAccessLog:
        """How often test was opened by `evaluate`."""
        return test_access_log(self.path)

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial, indexed by its number; see `tables.trials_table`.

        Raises:
            SweepError: the study cannot be read.
        """
        from bearing_search.api.tables import trials_table
        from bearing_search.session.comparison import board_of

        status, console = self.status, Console(quiet=True)
        board = board_of([self.folder], console) if status.task == "search" else None
        return trials_table(status, board)

    @property
    def best(self) -> RankedSetting:
        """The setting with the highest objective among those that meet every constraint.

        Raises:
            SweepError: no trial is complete.
        """
        return self._complete_board().selection.best

    @property
    def chosen(self) -> RankedSetting:
        """The setting to use, as in report.md: what `evaluate` trains.

        Raises:
            SweepError: no trial is complete, or every one misses a constraint.
        """
        chosen = self._complete_board().selection.chosen
        if chosen is None:
            raise SweepError(f"{self.name}: every complete trial misses a constraint")
        return chosen

    def leaderboard(self) -> pd.DataFrame:
        """One row per setting, best first; see `tables.leaderboard_table`.

        Raises:
            SweepError: no trial is complete.
        """
        from bearing_search.api.tables import leaderboard_table

        return leaderboard_table(self._complete_board())

    def report(self) -> str:
        """The conclusions, as Markdown: the page that `compare` prints.

        Raises:
            SweepError: no trial is complete.
        """
        from bearing_search.reporting.leaderboard_markdown import markdown

        return markdown(self.name, self._complete_board(), self.folder.space().question)

    def config(self, trial: int) -> TrialConfig:
        """All settings of a trial.

        Raises:
            SweepError: there is no such trial, or it has not begun.
        """
        require_file(self.folder, trial, "config.json")
        return trial_config(self.path, trial)

    def curves(self, trial: int) -> pd.DataFrame:
        """What a trial measured, indexed by step: one column per metric, and `stage`.

        Raises:
            SweepError: there is no such trial, or it has measured nothing yet.
        """
        from bearing_search.api.tables import curves_table

        return curves_table(
            require_file(self.folder, trial, "measurements.jsonl") / "measurements.jsonl"
        )

    def image_scores(self, trial: int) -> pd.DataFrame:
        """The image score of every held-out sample of a trial; see `tables.scores_table`.

        Raises:
            SweepError: there is no such trial, or no fold of it is scored yet.
        """
        from bearing_search.api.tables import scores_of_trial

        return scores_of_trial(self.folder, trial)

    def figure(self, name: str, trial: int | None = None) -> Figure:
        """A figure: `leaderboard` or `pareto` of the sweep; for a trial's, see `figures`.

        Raises:
            SweepError: there is no such figure; the existing names are listed.
        """
        owner = self.name if trial is None else f"trial {trial} of {self.name}"
        return read_figure(name, figures_of(self.folder, trial), owner=owner)

    def figures(self, trial: int | None = None) -> list[str]:
        """Names of the figures of the sweep, or of a trial (`curves_LC`, `heat_maps_LC`).

        Raises:
            SweepError: there is no such trial.
        """
        return list(figures_of(self.folder, trial))

    def resume(self, **options: Unpack[ResumeOptions]) -> Sweep:
        """Resume towards the target, or a higher one (`trials=`); see `resume.ResumeOptions`.

        Raises:
            SweepError: another process drives it, or its data, space or code changed.
            TrialFailedError: it ended without a score.
        """
        from bearing_search.api.resume import resume

        return resume(self, **options)

    def evaluate(
        self,
        trial: int | None = None,
        *,
        console: Console | None = None,
        **options: Unpack[EvaluationOptions],
    ) -> Evaluation:
        """Train a setting on train and score it on test, once; see `evaluation.EvaluationOptions`.

        Raises:
            SweepError: no trial is complete, the named one is not, test was opened for another, or
                train has changed.
            LeakError: train and test share samples, and `allow_leak` is empty.
        """
        from bearing_search.api.evaluation import EvaluationRequest, evaluate

        return evaluate(self.folder, EvaluationRequest(trial=trial, **options), console)

    def threshold(
        self,
        trial: int | None = None,
        *,
        console: Console | None = None,
        **options: Unpack[ThresholdOptions],
    ) -> ThresholdReport:
        """Set thresholds that keep a promise; see `deploy.threshold.ThresholdOptions`.

        Raises:
            PromiseError: the held-out samples cannot prove it.
            SweepError: no trial is complete, or the named one is not.
        """
        from bearing_search.api.deploy.threshold import threshold

        return threshold(self.folder, trial, console, **options)

    def export(self, trial: int | None = None, **options: Unpack[ExportOptions]) -> Exported:
        """Write a setting as a detector for use; see `deploy.export.ExportOptions`.

        Raises:
            ParityError: exported, it does not decide as it was trained; nothing is written.
            SweepError: no trial is complete, the named one is not, or train has changed.
        """
        from bearing_search.api.deploy.export import ExportRequest, export_detector

        return export_detector(self.folder, ExportRequest(trial=trial, **options))

    def _complete_board(self) -> Leaderboard:
        from bearing_search.session.comparison import complete_board

        return complete_board(self.folder, Console(quiet=True))


def open_sweep(sweep: str | Path, results: str | Path = "results") -> Sweep:
    """Open an existing sweep.

    Args:
        sweep: its name, or the path of its folder.
        results: folder in which a name is looked up.

    Raises:
        SweepError: there is no such sweep, or its sweep.json cannot be read.
    """
    path = Path(sweep)
    if (path / "sweep.json").is_file():
        return Sweep(load_sweep(path.resolve().parent, path.resolve().name))
    return Sweep(load_sweep(Path(results), str(sweep)))
