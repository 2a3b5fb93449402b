"""Records of what trials have reported, and the choice of the best ones."""
