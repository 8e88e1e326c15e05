"""Hypothesis without a stopwatch, and with the same examples each time; HYPOTHESIS_PROFILE=explore looks further."""

import os

from hypothesis import settings

settings.register_profile("andamio", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "andamio"))
