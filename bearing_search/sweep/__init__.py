"""Spreads trials over processors and GPUs: the Optuna study is the ledger, Ray Tune executes."""
