"""Trial folders that are kept at a URL."""
