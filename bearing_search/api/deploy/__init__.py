"""From a finished sweep to a detector in use."""
