"""Judges one sample after the other in a thread of its own, and remembers the last ones."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from bearing_search.plots.montage import png_bytes
from bearing_search.prediction.judging import judge_one, warm_up
from bearing_search.prediction.overlays import drawn_overlay
from bearing_search.prediction.pairing import InputSample
from bearing_search.prediction.results import SampleResult
from bearing_search.runtime.detector import Detector
from bearing_search.runtime.verdict import Verdict
from bearing_search.service.metrics import Metrics

_LOG = logging.getLogger(__name__)


class GivenUp(Exception):  # noqa: N818 (it is no error)
    """A sample is not judged: the service was told to end at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A sample that was accepted."""

    sample: InputSample
    shown: Sequence[str]
    """What its files are called outside; of a sample from a folder its paths."""

    cleanup: Callable[[], None] | None = None
    """Called once its files are no longer needed."""

    accepted: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A sample with its verdict."""

    number: int
    """Counted from 1 since the start."""

    at: float
    """Seconds since 1970."""

    result: SampleResult
    picture: "Future[bytes]"
    """Content of a PNG, once it is drawn; empty: there is none."""


class Worker:
    """A detector in a thread of its own; its methods may be called by any thread."""

    def __init__(self, detector: Detector, *, keeps: int) -> None:
        self.detector = detector
        self.metrics = Metrics()
        self.is_ready = False
        self._gives_up = False
        self._keeps = keeps
        self._recent: OrderedDict[int, Judged] = OrderedDict()
        self._lock = threading.Lock()
        self._number = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")

    def load(self) -> "Future[None]":
        """Load all networks; the future has the error if one cannot be loaded."""
        return self._thread.submit(self._load)

    def submit(self, task: Task) -> "Future[Judged]":
        """Judge a sample after all that were submitted before."""
        verdict: Future[Judged] = Future()
        verdict.set_running_or_notify_cancel()  # a sender who leaves cancels nothing
        self._thread.submit(self._work, task, verdict)
        return verdict

    def recent(self) -> list[Judged]:
        """The last samples, newest first."""
        with self._lock:
            return list(reversed(self._recent.values()))

    def find(self, number: int) -> Judged | None:
        """One of the last samples; None: it is not among them."""
        with self._lock:
            return self._recent.get(number)

    def give_up(self) -> None:
        """Finish what is being judged, and nothing else."""
        self._gives_up = True

    def close(self) -> None:
        """Wait until everything that was submitted is done."""
        self._thread.shutdown(wait=True)

    def _load(self) -> None:
        for network in {facts.network for facts in self.detector.facts.parts.values()}:
            warm_up(self.detector, network)
        self.is_ready = True

    def _work(self, task: Task, future: "Future[Judged]") -> None:
        picture: Future[bytes] = Future()
        picture.set_running_or_notify_cancel()
        content = b""
        try:
            if self._gives_up:
                raise GivenUp
            found, verdict = judge_one(self.detector, task.sample)
            judged = self._judged(as_shown(found, task.shown), task, picture)
            future.set_result(judged)
            content = self._drawn(replace(judged.result, files=found.files), verdict)
        except GivenUp as error:
            future.set_exception(error)
        except Exception as error:  # of this sample; the next one is judged all the same
            _LOG.exception("a sample could not be judged")
            if not future.done():
                future.set_exception(error)
        finally:
            picture.set_result(content)
            if task.cleanup is not None:
                task.cleanup()

    def _judged(self, result: SampleResult, task: Task, picture: "Future[bytes]") -> Judged:
        with self._lock:
            self._number += 1
            judged = Judged(number=self._number, at=time.time(), result=result, picture=picture)
            self._recent[judged.number] = judged
            while len(self._recent) > self._keeps:
                self._recent.popitem(last=False)
        latency_s = time.monotonic() - task.accepted
        self.metrics.add_verdict(result.word, judging_s=result.seconds, latency_s=latency_s)
        return judged

    def _drawn(self, result: SampleResult, verdict: Verdict) -> bytes:
        drawn = drawn_overlay(self.detector, result, verdict)
        return b"" if drawn is None else png_bytes(drawn)


def as_shown(result: SampleResult, shown: Sequence[str]) -> SampleResult:
    """A result whose files are called what the sender calls them, in its reason as well."""
    reason = result.reason
    for file, name in zip(result.files, shown, strict=False):
        reason = reason.replace(file, name)
    return replace(result, files=tuple(shown), reason=reason)
