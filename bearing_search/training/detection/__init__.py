"""Trains or fits a detector, and computes distances with it."""
