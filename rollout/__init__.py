"""How a model comes into service by hand and out of it again, and when the watch starts a training."""
