"""Imports a data set with another layout: raw samples -> a manifest and rendered masks."""
