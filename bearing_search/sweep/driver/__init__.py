"""Controls a running sweep independently of Ray: what to start, stop and record."""
