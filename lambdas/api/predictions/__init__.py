"""Predictions: making one, explaining one, looking up one that a batch made. No HTTP here but the errors."""
