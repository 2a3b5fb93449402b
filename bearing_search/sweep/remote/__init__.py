"""Synchronises trial folders with a depot, an object store at a URL."""
