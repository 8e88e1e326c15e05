"""How good the champion is in the window: where labels came, and by its own probabilities before they come."""
