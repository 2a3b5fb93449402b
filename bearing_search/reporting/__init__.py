"""Renders a finished sweep or a test result as text, JSON and plots."""
