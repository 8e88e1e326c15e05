"""A sealed release: its manifest, the pointer that serves it, its model and its explanations."""
