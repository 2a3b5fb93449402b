"""Detectors on an encoder's features: decoders, memory banks, Gaussians."""
