"""Thresholds by contract as JSON, a page, and pictures."""
