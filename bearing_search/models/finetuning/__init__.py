"""Heads, losses and schedules of fine-tuning."""
