"""Ray: runs the trials that the driver hands out. The only place that imports it."""
