"""Judges pictures on disk with an exported detector: finds samples, judges them, draws overlays."""
