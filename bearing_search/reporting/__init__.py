"""A finished sweep or test result as text, JSON and plots."""
