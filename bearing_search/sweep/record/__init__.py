"""The content of sweep.json and of trial folders."""
