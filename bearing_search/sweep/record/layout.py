"""Names of the files in a trial's folder."""

LOG = "log.txt"

TRACEBACK = "traceback.txt"

TRIAL_STOP = "STOP"
"""In a trial's folder: this trial alone is to end (it was pruned)."""
