"""Controls a running sweep, without Ray: what to start, what to stop, what to record."""
