"""Statistics of scores: metrics and the bootstrap. NumPy only."""
