"""One picture, or two: what is kept of it, how one lies over the other, what they share."""
