"""A threshold by contract: what it promises, what the data prove, and what more would take."""
