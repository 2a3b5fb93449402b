"""Samples -> regions of interest; no torch."""
