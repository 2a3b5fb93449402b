"""What scores say: intervals, comparisons, operating points, and which setting to use."""
