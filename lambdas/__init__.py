"""The functions: each a composition root that knows the core and its own adapters, never another function."""
