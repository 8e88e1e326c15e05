"""Training on one data version, a step a call."""
