"""Atomic writes, SHA-256 digests, and full disks."""
