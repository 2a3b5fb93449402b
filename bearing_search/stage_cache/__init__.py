"""Cache of stage results shared by trials: keys, entries, clients, eviction."""
