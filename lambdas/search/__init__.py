"""The search function: the next trials, and whether to continue. It is separate because of Optuna."""
