"""Finds the best settings for detecting dents on roller-bearing inner rings, and uses them."""
