"""Dependencies of a bundle, out of uv.lock into a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra import REPOSITORY
from infra.packing import BundleError
from infra.packing.platforms import PYTHON, Platform

# In Lambda's Python runtime already, and 25 MiB. `andamio.adapters.sdk` checks its version when a function starts.
IN_THE_RUNTIME = ("boto3", "botocore", "jmespath", "s3transfer")


# What Optuna keeps studies in a database with; ours live in memory, and it imports none of these then.
NEVER_IMPORTED = ("sqlalchemy", "greenlet", "alembic", "mako")


def find_uv() -> str:
    """The uv to run: $UV, else PATH, else the one that make installed; raises `BundleError`."""
    homes = (Path(os.environ.get("ANDAMIO_HOME") or REPOSITORY / ".andamio"), REPOSITORY / ".andamio")
    given = os.environ.get("UV", "")
    candidates = [given, shutil.which("uv") or "", *(str(home / "uv" / "bin" / "uv") for home in homes)]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK) and Path(candidate).is_file():
            return candidate
    raise BundleError(
        "Building the Lambda bundles needs uv, which was not found in $UV, on PATH or in .andamio/uv/bin. "
        "Install it (https://docs.astral.sh/uv/), or run `make install`, which does."
    )


def locked_requirements(group: str, repository: Path = REPOSITORY) -> str:
    """What uv.lock pins for a dependency group, with hashes, as requirements.txt; raises `BundleError`."""
    left_out = [argument for name in (*IN_THE_RUNTIME, *NEVER_IMPORTED) for argument in ("--no-emit-package", name)]
    return _run(
        ["export", "--only-group", group, "--frozen", "--no-emit-project", "--no-header", "--no-annotate", *left_out],
        f"read the dependency group '{group}' from uv.lock",
        repository,
    )


def install(requirements: Path, target: Path, platform: Platform, repository: Path = REPOSITORY) -> None:
    """Install locked requirements (and nothing else) into a folder; raises `BundleError`."""
    arguments = ["pip", "install", "--quiet", "--target", str(target), "--requirement", str(requirements)]
    arguments += ["--no-deps", "--only-binary", ":all:", "--link-mode", "copy"]
    if platform.wheels:
        arguments += ["--python-version", ".".join(map(str, PYTHON)), "--python-platform", platform.wheels]
    arguments += ["--python", sys.executable]
    _run(arguments, f"install the dependencies of {target.name} for {platform.name}", repository)


def _run(arguments: list[str], what: str, repository: Path) -> str:
    """Run uv in the repository; returns what it printed."""
    # --target ignores the active environment; a VIRTUAL_ENV of somebody else's would only earn a warning.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [find_uv(), *arguments], cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BundleError(f"uv could not {what} (exit code {done.returncode}):\n{done.stderr.strip()}")
    return done.stdout
