"""Pictures of a training: curves, heads, heat maps."""
