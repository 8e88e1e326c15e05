"""Which trials come next: rounds of suggestions."""
