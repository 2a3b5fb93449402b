"""Networks, losses, optimisers and schedules; no files, no metrics."""
