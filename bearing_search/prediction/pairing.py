"""Image files -> samples: levels are paired by name, and the part is told by the folder."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bearing_search.data.samples import name_and_level
from bearing_search.errors import ConfigError
from bearing_search.runtime.verdict import SampleLevels, Verdict, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSample:
    """A sample to be judged."""

    sample: SampleLevels
    flaw: Verdict | None = None
    """Why it cannot be judged; None: nothing is wrong so far."""


@dataclass(frozen=True, slots=True)
class PartRule:
    """Which part a picture shows."""

    known: tuple[str, ...]
    """Parts of the detector."""

    asked: str
    """Part that the user names; empty: none."""

    def __post_init__(self) -> None:
        if self.asked and self.asked not in self.known:
            raise ConfigError(
                f"part {self.asked}: this detector knows {', '.join(self.known)}; name one of them"
            )

    def of_path(self, folder: Path) -> str:
        """The innermost folder that is named like a part; empty: there is none."""
        return next((n for n in reversed(folder.absolute().parts) if n in self.known), "")

    def of_manifest(self, stated: str, where: str) -> str:
        """The part that a manifest states; empty: it states none.

        Raises:
            ConfigError: the detector does not know it, and the user names none.
        """
        if stated and stated not in self.known and not self.asked:
            raise ConfigError(
                f"{where}: part {stated}; this detector knows {', '.join(self.known)}. Leave the "
                "column out, or name the part with --part"
            )
        return stated

    def leaves_out(self, stated: str) -> bool:
        """Whether the user asked for another part than the one that is stated."""
        return bool(self.asked and stated and stated != self.asked)

    def chosen(self, stated: str, where: Path | str) -> str:
        """The part of a picture.

        Raises:
            ConfigError: nothing tells it.
        """
        if stated or self.asked:
            return stated or self.asked
        if len(self.known) == 1:
            return self.known[0]
        raise ConfigError(
            f"{where}: which part is it? This detector knows {', '.join(self.known)}; add --part, "
            "or put the pictures into a folder of that name"
        )


def paired(files: Sequence[Path], part: str, root: Path) -> Iterator[InputSample]:
    """The samples of one folder's files, in the natural order of their names.

    Args:
        files: of one folder.
        part: that they show.
        root: folder that names are relative to.
    """
    levels: dict[str, dict[int, Path]] = defaultdict(dict)
    twins: dict[str, str] = {}
    for file in files:
        name, level = name_and_level(file)
        if level in levels[name]:
            other = levels[name][level].name
            twins[name] = f"{file}: a second file for brightness {level}, besides {other}. Keep one"
        levels[name].setdefault(level, file)
    for name in sorted(levels, key=natural_key):
        of_level = levels[name]
        first = of_level[min(of_level)]
        title = (first.parent.relative_to(root) / name).as_posix()
        missing = sorted(set(range(max(of_level) + 1)) - set(of_level))
        if name in twins:
            yield flawed(part, title, "unreadable", twins[name])
        elif missing:
            reason = f"{title}_b{missing[0]}: not found next to {first.name}; name all its levels"
            yield flawed(part, title, "wrong levels", reason)
        else:
            ordered = tuple(of_level[level] for level in sorted(of_level))
            yield InputSample(sample=SampleLevels(part=part, levels=ordered, name=title))


def flawed(part: str, name: str, word: Word, reason: str) -> InputSample:
    """A sample that cannot be judged."""
    sample = SampleLevels(part=part, levels=(), name=name)
    return InputSample(sample=sample, flaw=Verdict(word=word, part=part, name=name, reason=reason))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts `shot2` before `shot10`."""
    pieces = re.split(r"(\d+)", name)
    return tuple(
        (0, int(piece), "") if piece.isdecimal() and piece.isascii() else (1, 0, piece)
        for piece in pieces
        if piece
    )
