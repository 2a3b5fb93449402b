"""Errors that a user can fix. All others keep their traceback.

Messages are shown and stored without passwords. Each class has an exit status for the command line;
README.md lists them.
"""

from pathlib import Path

from bearing_search.text.passwords import masked


class BearingSearchError(Exception):
    """An error the user can fix; its message says what was found, expected, and what to change."""

    exit_status = 2

    def __str__(self) -> str:
        return masked(super().__str__())


class ConfigError(BearingSearchError):
    """A config or search space has an unknown setting or an invalid value."""


class DataError(BearingSearchError):
    """The data set is incomplete, or one of its files cannot be used."""

    exit_status = 3


class RoiNotFoundError(DataError):
    """A sample has no plausible region of interest."""


class WeightsError(BearingSearchError):
    """Encoder weights are missing, or belong to another encoder."""

    exit_status = 4


class ResourceError(BearingSearchError):
    """The machine or cluster lacks a requested resource, or its installation is inconsistent."""

    exit_status = 5


class DiskFullError(ResourceError):
    """The disk is full. Nothing that was written before is lost."""


class SweepError(BearingSearchError):
    """A sweep does not exist, is locked by another process, or cannot be run as requested."""

    exit_status = 6


class DamagedFileError(SweepError):
    """A file of a sweep is missing, or cannot be read as what it should be."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file

    def __str__(self) -> str:
        return masked(f"{self.file}: cannot be read ({self.args[1]})")


class TrialFailedError(BearingSearchError):
    """A trial cannot produce a score, for the reason in the message. The sweep continues."""

    exit_status = 7


class LeakError(BearingSearchError):
    """Train and test share samples, so a test score would be too optimistic."""

    exit_status = 8


class PromiseError(BearingSearchError):
    """A threshold was asked to promise more than the held-out samples can prove."""

    exit_status = 9


class ParityError(BearingSearchError):
    """An exported detector does not decide as the trained one does, so it is not written."""

    exit_status = 10


class BundleError(BearingSearchError):
    """An exported detector is incomplete, altered, or of another version."""

    exit_status = 11
