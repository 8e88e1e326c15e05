"""Which trials to try next, and whether to go on: a function of its own, for Optuna."""
