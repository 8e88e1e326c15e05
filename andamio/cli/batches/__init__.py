"""Files to score: sent, followed, and their results brought back."""
