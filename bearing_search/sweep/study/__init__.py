"""The Optuna study: samplers, storage, and how settings are encoded as parameters."""
