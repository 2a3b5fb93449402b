"""Plots of a training: curves, outputs of the heads, heat maps."""
