"""Writes a trained detector as a folder that travels, after comparing it with what was trained."""
