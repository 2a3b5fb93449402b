"""Grids of pictures with captions."""
