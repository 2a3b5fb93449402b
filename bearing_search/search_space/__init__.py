"""Search spaces: parameters, conditions, objectives, and the YAML file they are read from."""
