"""Hypothesis without a stopwatch, and with the same examples each time; `--hypothesis-profile=default` explores."""

from hypothesis import settings

settings.register_profile("andamio", deadline=None, derandomize=True)
settings.load_profile("andamio")
