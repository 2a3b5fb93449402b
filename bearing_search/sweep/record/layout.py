"""Names of the files in a trial's folder."""

LOG = "log.txt"

TRACEBACK = "traceback.txt"

TRIAL_STOP = "STOP"
"""File that stops this trial only: it was pruned, or exceeded its timeout."""
