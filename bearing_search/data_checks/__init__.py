"""What is wrong with a data set: leaks between its splits, and files that mislead the method.

The only code outside `evaluate` that opens test images. It answers with findings, never with
pixels, and neither trials nor sweeps can import it (`pyproject.toml`).
"""
