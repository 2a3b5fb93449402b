"""Exact metrics, anomaly maps and predictions; no torch."""
