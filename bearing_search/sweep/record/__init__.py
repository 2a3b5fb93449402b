"""What sweep.json and trial folders hold."""
