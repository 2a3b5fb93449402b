"""Results of stages, shared by trials: keys, entries, clients, eviction."""
