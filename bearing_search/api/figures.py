"""Figures of a sweep or a trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bearing_search.errors import SweepError


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


def figure_files(folder: Path) -> dict[str, Path]:
    """PNG files of a folder by their names without suffix, in alphabetical order."""
    return {file.stem: file for file in sorted(folder.glob("*.png"))}


def read_figure(name: str, files: Mapping[str, Path], *, owner: str) -> Figure:
    """Read one of the figures.

    Raises:
        SweepError: there is no such figure; the existing ones are listed.
    """
    if name not in files:
        raise SweepError(f"{owner}: no figure {name}; there are: {', '.join(files) or 'none'}")
    return Figure(name, files[name].read_bytes())
