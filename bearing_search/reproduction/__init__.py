"""The paper's experiment on one's own data: Table 2 and figures 8 to 10, and how sure they are."""
