"""The steps of a trial; each receives its section of the config and leaves files."""
