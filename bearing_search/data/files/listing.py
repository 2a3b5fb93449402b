"""The content of folders, read once: a data set of 100,000 files costs one call per folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bearing_search.data.samples import IMAGE_SUFFIXES
from bearing_search.errors import DataError

_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
"""What operating systems leave in folders, besides names that begin with a dot."""

UNREAD_PICTURES = frozenset(
    {
        *(".pgm", ".ppm", ".pnm", ".pbm", ".pfm", ".jp2", ".j2k", ".jxl", ".avif", ".heic"),
        *(".heif", ".gif", ".dng", ".raw", ".cr2", ".nef", ".arw", ".exr", ".hdr", ".tga"),
        *(".svg", ".jfif", ".jpe", ".dib", ".npy", ".bin"),
    }
)
"""Suffixes of image files that are not supported."""


@dataclass(frozen=True)
class Folder:
    """A folder, with its content read on first use. Names that begin with a dot are left out."""

    path: Path

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Names of the regular files, sorted."""
        return tuple(name for name, kind in self._entries if kind == "file")

    @cached_property
    def folders(self) -> dict[str, "Folder"]:
        """Name -> folder, sorted by name."""
        return {n: Folder(self.path / n) for n, kind in self._entries if kind == "folder"}

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Names of what is neither: pipes, sockets, broken links."""
        return tuple(name for name, kind in self._entries if kind == "other")

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the files with the suffix of a supported image."""
        return tuple(name for name in self.files if is_read(name))

    @cached_property
    def _entries(self) -> tuple[tuple[str, str], ...]:
        try:
            with os.scandir(self.path) as entries:
                found = [(one.name, _kind(one)) for one in entries if not is_hidden(one.name)]
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}).") from None
        return tuple(sorted(found))

    def below(self, *names: str) -> "Folder | None":
        """The folder with that path; None: there is none."""
        folder: Folder | None = self
        for name in names:
            folder = folder.folders.get(name) if folder else None
        return folder

    def walk(self, depth: int = 12) -> "Iterator[Folder]":
        """This folder and all below it, down to `depth`; circular links are not followed."""
        yield from self._walk(depth, frozenset())

    def _walk(self, depth: int, above: frozenset[Path]) -> "Iterator[Folder]":
        here = self.path.resolve()
        if here in above:
            return
        yield self
        if depth:
            for folder in self.folders.values():
                yield from folder._walk(depth - 1, above | {here})


def is_hidden(name: str) -> bool:
    """Whether a name begins with a dot, or is that of an operating system's own files."""
    return name.startswith(".") or name.lower() in _CLUTTER


def suffix_of(name: str) -> str:
    """Suffix of a file name in lower case, with its dot; empty if it has none."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each name costs as much)


def stem_of(name: str) -> str:
    """A file name without its suffix."""
    return os.path.splitext(name)[0]  # noqa: PTH122


def is_read(name: str) -> bool:
    """Whether a file of that name is read as an image."""
    return suffix_of(name) in IMAGE_SUFFIXES


def is_picture(name: str) -> bool:
    """Whether a file of that name is an image, supported or not."""
    return suffix_of(name) in IMAGE_SUFFIXES | UNREAD_PICTURES


def few(names: list[str] | tuple[str, ...], most: int = 3) -> str:
    """The first of several names, with an ellipsis if there are more."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def read_suffixes() -> str:
    """The suffixes of supported images, as text."""
    return ", ".join(sorted(IMAGE_SUFFIXES))


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir():
        return "folder"
    return "file" if entry.is_file() else "other"
