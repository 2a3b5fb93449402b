"""Locks that decide which process may drive a sweep."""
