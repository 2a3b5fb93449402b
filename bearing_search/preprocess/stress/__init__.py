"""A stress set: normal samples with the light, the camera or one dent changed, each in one way."""
