"""Processes besides those of Ray."""
