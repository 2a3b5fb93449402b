"""Anomaly detectors on encoder features: decoders, memory banks, Gaussians."""
