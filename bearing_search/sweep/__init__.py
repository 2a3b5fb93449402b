"""Runs trials in parallel on CPUs and GPUs: the Optuna study is the ledger, Ray Tune executes."""
