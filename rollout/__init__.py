"""How a model comes into service and out of it: by hand, by a trial, and when the watch starts a training."""
