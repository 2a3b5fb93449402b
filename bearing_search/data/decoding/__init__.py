"""Bytes on disk -> arrays: every kind of picture and mask that is read, and what is refused."""
