"""What `roi` shows of every ring that was found."""
