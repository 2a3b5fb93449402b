"""Hyperparameter search for detecting dents on the inner rings of roller bearings."""
