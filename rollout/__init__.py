"""How a model comes into service and out of it again: by hand, and by the rule that a challenger is judged by."""
