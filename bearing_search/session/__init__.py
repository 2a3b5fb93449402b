"""What surrounds the trials of a session: inputs, leak gate, preflight checks, progress, report."""
