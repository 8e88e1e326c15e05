"""Hypothesis without a stopwatch, and with the same examples each time; HYPOTHESIS_PROFILE=explore looks further.

A machine that is busy with something else makes no test fail: not by a deadline, nor because examples
were slow in the making.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("andamio", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "andamio"))
