"""Training and scoring of one fold."""
