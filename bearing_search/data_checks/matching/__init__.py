"""Copies of photographs in a data set: candidates, registration, evidence, findings."""
