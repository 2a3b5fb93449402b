"""Trains and scores one part in one fold."""
