"""Files as they lie in folders: listed once, masks and pictures found by name."""
