"""What commands and notebooks call; `bearing_search` itself offers the public part."""
