"""A sweep's folder, and the checks of `run` and `resume`."""
