"""Bytes on disk -> arrays: every supported kind of image and mask, and what is refused."""
