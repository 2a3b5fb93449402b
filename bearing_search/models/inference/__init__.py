"""Detectors as networks for use: bytes of an image in, patch distances out; no training."""
