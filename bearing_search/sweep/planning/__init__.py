"""Which trial is run next, and how each one ended."""
