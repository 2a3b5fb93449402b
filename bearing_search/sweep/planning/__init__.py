"""Decides which trial runs next, and records how each one ended."""
