"""Layouts of data sets: one module for each family."""
