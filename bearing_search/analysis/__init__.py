"""Statistics of scores: intervals, comparisons, operating points, and selection of a setting."""
