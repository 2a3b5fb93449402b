"""Files on disk -> samples, folds, and drawn defects."""
