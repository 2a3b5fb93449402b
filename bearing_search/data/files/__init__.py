"""Files in folders: listed once, with masks and images found by name."""
