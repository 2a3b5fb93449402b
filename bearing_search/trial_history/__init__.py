"""What a trial has reported, and which trials are best."""
