"""Settings of every test run.

Hypothesis has no deadline and, by default, the same examples each time: a busy machine makes no test fail.
HYPOTHESIS_PROFILE=explore looks for new examples, and many more of them.
"""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores. Set before NumPy is imported, which reads it once.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

settings.register_profile("andamio", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "explore", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "andamio"))
