"""The problem's own transformations, `prepare.py`: the one place that loads and calls them. Never decides what a value
may be: that is the contract's."""
