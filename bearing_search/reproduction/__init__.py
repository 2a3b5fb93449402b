"""Reproduces the paper's Table 2 and figures 8 to 10 on any data set, with confidence intervals."""
