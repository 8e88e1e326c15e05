"""Settings of every test run.

Hypothesis has no deadline and, by default, the same examples each time: a busy machine makes no test fail.
HYPOTHESIS_PROFILE chooses another profile: `quick` takes the first few of these examples (`make unit`), `explore` looks
for new ones, and many more of them.
"""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores. Set before NumPy is imported, which reads it once.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

BASE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("andamio", BASE, derandomize=True)
settings.register_profile("quick", BASE, derandomize=True, max_examples=20)
settings.register_profile("explore", BASE, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "andamio"))

ONE_PROCESS = ("tests/flows/", "tests/e2e/")
"""Folders whose files share something: the calls that were recorded, and the cloud of the demo."""


@pytest.hookimpl(optionalhook=True)  # a run of one test may leave the plugin out
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """How tests are dealt out by `--dist loadfile`: a file to one process, a folder of `ONE_PROCESS` as well."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((folder for folder in ONE_PROCESS if nodeid.startswith(folder)), super()._split_scope(nodeid))

    return ByFileOrFolder(config, log)
