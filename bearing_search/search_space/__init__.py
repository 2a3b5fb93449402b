"""Search spaces: parameters, conditions, objectives, and the YAML files that define them."""
