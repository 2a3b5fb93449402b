"""The steps of a trial; each receives its own config and leaves files."""
