"""How a model comes into service and out of it again: by hand, by rule, and by a training that the watch starts."""
