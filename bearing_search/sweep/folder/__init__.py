"""A sweep's folder, and what `run` and `resume` refuse to do with it."""
