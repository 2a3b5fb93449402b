"""Text for people: durations, URLs without passwords."""
