"""Figures of a sweep or a trial, and its other files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bearing_search.errors import SweepError
from bearing_search.sweep.folder.sweep_folder import SweepFolder


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as PNG, displayed by notebooks."""

    name: str
    png: bytes

    def save(self, file: str | Path) -> Path:
        """Write the PNG; return the file."""
        target = Path(file)
        target.write_bytes(self.png)
        return target

    def _repr_png_(self) -> bytes:
        """The PNG, under the name that IPython expects."""
        return self.png


def figures_of(sweep: SweepFolder, trial: int | None) -> dict[str, Path]:
    """PNG files of a sweep or a trial by their names without suffix, in alphabetical order.

    Raises:
        SweepError: there is no such trial.
    """
    folder = sweep.root
    if trial is not None:
        folder = require_file(sweep, trial, "config.json") / "artifacts"
    return {file.stem: file for file in sorted(folder.glob("*.png"))}


def read_figure(name: str, files: Mapping[str, Path], *, owner: str) -> Figure:
    """Read one of the figures.

    Raises:
        SweepError: there is no such figure; the existing ones are listed.
    """
    if name not in files:
        raise SweepError(f"{owner}: no figure {name}; there are: {', '.join(files) or 'none'}")
    return Figure(name, files[name].read_bytes())


def require_file(sweep: SweepFolder, trial: int, file: str) -> Path:
    """Folder of a trial, which must have the file.

    Raises:
        SweepError: it has none; trials that began are listed.
    """
    folder = sweep.trial_folder(trial)
    if not (folder / file).exists():
        begun = sorted(int(one.parent.name) for one in sweep.root.glob("trials/*/config.json"))
        known = ", ".join(map(str, begun)) or "none"
        name = sweep.record.name
        raise SweepError(f"{name}: trial {trial} has no {file}; trials that began: {known}")
    return folder
