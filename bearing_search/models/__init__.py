"""Networks, losses, optimisers and schedules; no metrics, and no files except weights."""
