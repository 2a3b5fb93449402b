"""Whether masks mark what they should: how much, by which values, and turned which way."""
