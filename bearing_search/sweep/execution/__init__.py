"""Runs the driver's trials on Ray; the only package that imports it."""
