"""Finds the images below a folder by the paths and names in lists and label files."""

from collections import defaultdict
from pathlib import Path, PurePosixPath

from bearing_search.data.files.listing import Folder, few, is_picture, stem_of
from bearing_search.errors import DataError


class PictureIndex:
    """All images below a folder, by name and by stem."""

    def __init__(self, root: Folder) -> None:
        self.root = root.path
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for folder in root.walk():
            for name in filter(is_picture, folder.files):
                self._by_name[name].append(folder.path / name)
                self._by_stem[stem_of(name)].append(folder.path / name)

    def find(self, said: str, *, near: Path) -> Path:
        """Find the image that a list or a label refers to.

        The path may be relative to the list, or have folders of another machine or of a bucket: of
        all images with that name, the one whose path has the longest matching end is taken.

        Args:
            said: the path as written in the source; backslashes count as slashes.
            near: the folder of the list or label.

        Raises:
            DataError: there is none, or two match equally well.
        """
        parts = PurePosixPath(said.replace("\\", "/")).parts
        name = parts[-1] if parts else ""
        found = self._by_name.get(name, [])
        if (beside := near.joinpath(*parts)) in found:
            return beside
        return self._nearest(said, found, parts)

    def by_stem(self, stem: str, *, apart_from: tuple[str, ...] = ()) -> list[Path]:
        """The images with that stem, except in folders with certain names."""
        return [
            file
            for file in self._by_stem.get(stem, [])
            if not set(file.relative_to(self.root).parts[:-1]) & set(apart_from)
        ]

    def _nearest(self, said: str, found: list[Path], parts: tuple[str, ...]) -> Path:
        if not found:
            raise DataError(
                f"{said}: no such image below {self.root}. Put the images there, next to the file "
                "that lists them."
            )
        ranked = sorted(((_agreement(file, parts), file) for file in found), reverse=True)
        best = [file for agreement, file in ranked if agreement == ranked[0][0]]
        if len(best) > 1:
            names = [file.relative_to(self.root).as_posix() for file in sorted(best)]
            raise DataError(
                f"{said}: could be any of {few(names)} below {self.root}. Keep one, or give the "
                "folder in the list."
            )
        return best[0]


def _agreement(file: Path, parts: tuple[str, ...]) -> int:
    count = 0
    for one, other in zip(reversed(file.parts), reversed(parts), strict=False):
        if one != other:
            break
        count += 1
    return count
