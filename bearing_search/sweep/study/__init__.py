"""The Optuna study: samplers, pruners, storage, and the encoding of settings as parameters."""
