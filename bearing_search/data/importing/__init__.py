"""Bringing in a data set of another layout: raw samples -> a manifest and drawn masks."""
