"""What surrounds a sweep's trials: data found, leaks refused, images read, progress shown."""
