"""Judges what a camera drops into a folder: each sample once, when all of it is there."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bearing_search.data.files.listing import Folder
from bearing_search.data.files.mask_files import is_mask_folder
from bearing_search.data.part_reading import num_pages
from bearing_search.data.samples import name_and_level
from bearing_search.errors import DataError
from bearing_search.filesystem.digest import sha256_of_json
from bearing_search.prediction.pairing import InputSample, PartRule, natural_key, paired
from bearing_search.service.journal import KEY_HEX, Journal
from bearing_search.service.worker import GivenUp, Task, Worker

SCAN_S = 0.5
"""Least seconds between two looks at the folder."""

_REST = 5.0
"""Pause after a look, as a multiple of the time of listing: a full folder must not cost a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What is watched, and when a sample is complete."""

    folder: Path
    out: Path
    part: str = ""
    """Of pictures whose folder is named like none."""

    still_s: float = 1.0
    """Seconds that no file of a sample may have changed."""

    incomplete_s: float = 60.0
    """Seconds without a change after which a sample is judged although levels are missing."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """Files in the folder that are one sample so far."""

    part: str
    files: tuple[Path, ...]
    stamps: tuple[_Stamp, ...]
    root: Path

    @property
    def key(self) -> str:
        """Names the sample as it is now: another size or time of a file makes another sample."""
        names = [file.relative_to(self.root).as_posix() for file in self.files]
        stamps = [[one.size, one.mtime_ns] for one in self.stamps]
        return sha256_of_json([self.part, names, stamps])[:KEY_HEX]

    def is_unchanged(self) -> bool:
        """Whether the files are still as they were listed; judging those before may take long."""
        try:
            return tuple(map(_stamp, self.files)) == self.stamps
        except FileNotFoundError:
            return False

    def sample(self) -> InputSample:
        """The sample, to be judged."""
        return next(paired(self.files, self.part, self.root))


class Watch:
    """A thread that judges a folder; what is being judged is finished before it ends."""

    def __init__(self, options: WatchOptions, worker: Worker, journal: Journal) -> None:
        self._options, self._worker, self._journal = options, worker, journal
        self._rule = PartRule(worker.detector.parts, options.part)
        self._stopped = threading.Event()
        self._since: dict[str, float] = {}
        self.error: Exception | None = None
        """Why it ended by itself; None: it did not."""

        self._thread = threading.Thread(target=self._run, name="watch")

    def start(self) -> None:
        """Begin to look."""
        if not self._stopped.is_set():
            self._thread.start()

    def close(self) -> None:
        """Finish the sample that is being judged, and end."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def has_failed(self) -> bool:
        """Whether it ended by itself."""
        return self.error is not None

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._stopped.wait(max(SCAN_S, _REST * self.look()))
        except Exception as error:  # the main thread raises it
            self.error = error

    def look(self) -> float:
        """Judge every sample that is complete now; returns the seconds that listing them took.

        Raises:
            ConfigError: nothing tells the part of a picture.
            DataError: the folder cannot be read.
            OSError: a verdict cannot be written.
        """
        begun = time.monotonic()
        found = [(one, one.key) for one in self._candidates()]
        took = time.monotonic() - begun
        since: dict[str, float] = {}
        for one, key in found:
            if key in self._journal:
                continue
            since[key] = self._since.get(key, time.monotonic())
            is_due = self._is_due(one, time.monotonic() - since[key])
            if is_due and not self._stopped.is_set() and one.is_unchanged():
                self._judge(one, key)
        self._since = since
        return took

    def _is_due(self, one: _Candidate, still_s: float) -> bool:
        if still_s >= self._options.incomplete_s:
            return True
        is_still = still_s >= self._options.still_s and all(stamp.size for stamp in one.stamps)
        return is_still and self._is_complete(one)

    def _is_complete(self, one: _Candidate) -> bool:
        wanted = self._worker.detector.part_facts(one.part).num_levels
        levels = {name_and_level(file)[1] for file in one.files}
        if wanted is None:  # nobody knows, so only time tells
            return False
        if len(one.files) == 1 and wanted > 1:
            try:
                return num_pages(one.files[0]) == wanted
            except DataError:
                return False
        return levels == set(range(wanted))

    def _judge(self, one: _Candidate, key: str) -> None:
        sample = one.sample()
        shown = [str(file) for file in sample.sample.levels]
        try:
            judged = self._worker.submit(Task(sample=sample, shown=shown)).result()
        except GivenUp:
            return
        except Exception as error:  # a bug, of this sample; the worker has logged it
            reason = f"could not be judged: {type(error).__name__}; the log has more"
            name, files = sample.sample.title, [str(file) for file in one.files]
            failed = {"sample": name, "part": one.part, "verdict": "failed", "reason": reason}
            self._journal.add(key, {**failed, "files": files, "at": round(time.time(), 3)})
            return
        self._journal.add(key, {**judged.result.as_json(), "at": round(judged.at, 3)})

    def _candidates(self) -> Iterator[_Candidate]:
        root = self._options.folder
        for folder in Folder(root).walk():
            if any(map(is_mask_folder, folder.path.relative_to(root).parts)):
                continue
            by_name: dict[str, list[Path]] = defaultdict(list)
            for name in folder.pictures:
                by_name[name_and_level(Path(name))[0]].append(folder.path / name)
            if not by_name:
                continue
            stated = self._rule.of_path(folder.path)
            if self._rule.leaves_out(stated):
                continue
            for name in sorted(by_name, key=natural_key):
                files = tuple(sorted(by_name[name]))
                part = self._rule.chosen(stated, files[0])
                try:
                    stamps = tuple(_stamp(file) for file in files)
                except FileNotFoundError:  # it was moved away meanwhile
                    continue
                yield _Candidate(part=part, files=files, stamps=stamps, root=root)


def _stamp(file: Path) -> _Stamp:
    found = file.stat()
    return _Stamp(found.st_size, found.st_mtime_ns)
