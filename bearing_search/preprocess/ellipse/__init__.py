"""Elliptical edges: candidates, fit and choice (EGGCC)."""
