"""Commands that take a finished sweep into use."""
