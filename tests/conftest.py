"""Settings of every test run.

Hypothesis has no deadline and, by default, the same examples each time: a busy machine makes no test fail.
HYPOTHESIS_PROFILE chooses another profile: `quick` takes the first few of these examples (`make unit`), `explore` looks
for new ones, and many more of them.
"""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores. Set before NumPy is imported, which reads it once.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

BASE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("andamio", BASE, derandomize=True)
settings.register_profile("quick", BASE, derandomize=True, max_examples=20)
settings.register_profile("explore", BASE, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "andamio"))
