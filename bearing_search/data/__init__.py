"""Files on disk -> samples, folds, and synthetic defects."""
