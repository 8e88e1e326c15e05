"""Captured predictions: their columns, and what is known of each hour of them. How they come here is not known."""
