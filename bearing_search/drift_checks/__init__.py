"""What has changed since a detector was trained: light, fixture, model, or the mix of parts."""
