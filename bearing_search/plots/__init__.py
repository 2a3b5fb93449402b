"""Pictures in grids, with text."""
