"""Settings of the detectors; each defaults to its own paper."""
