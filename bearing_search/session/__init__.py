"""A session around its trials: inputs, leak gate, preflight checks, progress, report."""
