"""What a user can act on. Everything else keeps its traceback.

Each class carries the exit status of the command line; README.md lists them.
"""


class BearingSearchError(Exception):
    """Something the user can mend; the message says what was found, what was wanted, what to do."""

    exit_status = 2


class ConfigError(BearingSearchError):
    """A config or search space names an unknown setting or an impossible value."""


class DataError(BearingSearchError):
    """The data set lacks something, or a file of it cannot be used."""

    exit_status = 3


class RoiNotFoundError(DataError):
    """No region of interest is plausible in one sample."""


class WeightsError(BearingSearchError):
    """Encoder weights are missing, or are not those of the named encoder."""

    exit_status = 4


class ResourceError(BearingSearchError):
    """The machine or cluster lacks what was asked for, or its installation is inconsistent."""

    exit_status = 5


class DiskFullError(ResourceError):
    """There is no room where something must be written. What was written before is not lost."""


class SweepError(BearingSearchError):
    """A sweep does not exist, is held by another process, or cannot go on as asked."""

    exit_status = 6


class TrialFailedError(BearingSearchError):
    """A trial cannot give a score; the message is its reason. The sweep goes on."""

    exit_status = 7


class LeakError(BearingSearchError):
    """Train and test share samples, so that a score on test would be too good."""

    exit_status = 8
