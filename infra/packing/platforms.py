"""The machine that a bundle is for: AWS on x86-64 or arm64, or this one."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

from infra.packing import BundleError

PYTHON = (3, 13)
"""The Python that functions run on; bytecode is tied to it."""

OLDEST_GLIBC = (2, 28)
"""What the wheels of `manylinux_2_28` need."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Where a bundle runs. `wheels` is uv's name for its wheels; empty means those of this interpreter."""

    name: str
    wheels: str

    @property
    def is_this_machine(self) -> bool:
        """Whether the bundle's native code runs here, so that it can be import-tested."""
        return self.name in ("host", _linux_of_this_machine())


X86_64 = Platform("x86_64", "x86_64-manylinux_2_28")
ARM64 = Platform("arm64", "aarch64-manylinux_2_28")
HOST = Platform("host", "")


def choose(name: str) -> Platform:
    """The platform called `x86_64`, `arm64` or `host`; raises `BundleError`.

    On Linux `host` is the platform that AWS has under the same processor: an emulator then runs the
    very bytes that a deployment to AWS would upload.
    """
    platforms = {p.name: p for p in (X86_64, ARM64, HOST)}
    if name not in platforms:
        raise BundleError(f"The bundle platform must be one of {', '.join(sorted(platforms))}. Got '{name}' instead.")
    if name == "host":
        return platforms.get(_linux_of_this_machine(), HOST)
    return platforms[name]


def _linux_of_this_machine() -> str:
    """`x86_64` or `arm64` on a Linux whose glibc takes Lambda's wheels, else an empty string."""
    if not sys.platform.startswith("linux"):
        return ""
    library, version = platform.libc_ver()
    if library != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GLIBC:
        return ""
    return {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "")
