"""The promotion gate: pure functions of scores, and their reasons in words."""
