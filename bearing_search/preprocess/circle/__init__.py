"""Circular edges: candidates, fit and choice (CGCM)."""
