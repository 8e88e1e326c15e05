"""The `andamio` command."""
