"""The environment variables of a service: few of those of the shell that started it.

Functions inherit the emulator's environment, so a variable of the caller's (an AWS profile, a
proxy, `PYTHONPATH`) would make them behave here as they never do on AWS. A list of what is kept is
the only one that stays right.
"""

from __future__ import annotations

import os

from localstack.home import Home

INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "USER", "LOGNAME", "LD_LIBRARY_PATH")
"""LD_LIBRARY_PATH is kept because some interpreters do not start without it."""


def environment(home: Home) -> dict[str, str]:
    """A service's environment: the few variables that are kept, UTC, and a home and `TMPDIR` of its own."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    scratch = str(home.scratch)
    return {"LANG": "C.UTF-8", **inherited, "TZ": "UTC", "HOME": scratch, "TMPDIR": scratch}
