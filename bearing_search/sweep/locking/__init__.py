"""Who may drive a sweep."""
