"""The AWS emulator, ministack, in a virtual environment of its own.

Functions run on its interpreter with its packages, so nothing else may be installed there: it
would hide what a bundle lacks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from andamio.errors import CommandError
from localstack import disk, identity, state
from localstack.environment import environment
from localstack.home import REPOSITORY, SOFTWARE
from localstack.ports import HOST, Claim
from localstack.process import Identity
from localstack.service import Service, answers, http_get

LAUNCHER = Path(__file__).with_name("launch.py")
VENV = SOFTWARE / "emulator"
FUNCTIONS_AT_ONCE = 10
"""Calls of functions that run at the same time, as in a new AWS account."""
IDLE_SECONDS = 15 * 60
"""How long a process that a burst has left behind is kept warm; the first one of a function stays."""
DESCRIPTION = ("--only-group", "emulator", "--no-install-project", "--frozen", "--compile-bytecode")


@dataclass(frozen=True, slots=True)
class Emulator(Service):
    """ministack on one port; it saves its state when it is idle, and when it stops.

    `judges`: whether calls are refused that IAM would refuse.
    """

    name: ClassVar[str] = "emulator"
    title: ClassVar[str] = "The AWS emulator"
    patience: ClassVar[float] = 60.0  # it writes its state on the way out

    port: int
    judges: bool = True

    def healthy(self) -> bool:
        """Whether its gateway answers, and is the one of this home."""
        if not answers(self.port, "/_ministack/health"):
            return False
        own_identity = identity.read(self.home.identity, self.home.path)
        try:
            return (
                own_identity is not None
                and json.loads(http_get(self.port, identity.PATH) or b"{}")["cloud"] == own_identity
            )
        except (ValueError, KeyError, TypeError):
            return False

    def trouble(self) -> list[str]:
        """Why it takes no more data, where it does not."""
        try:
            said = json.loads(http_get(self.port, disk.PATH) or b"{}").get("refusal")
        except (ValueError, AttributeError):
            return []
        return [str(said)] if said else []

    def start(self, claim: Claim) -> Identity:
        """Start it on the claimed port, with what it saved last; raises `CommandError` where that is cut off."""
        state.check(self.home)
        for unpacked in self.home.scratch.glob("ministack-lambda-*"):  # functions of a start that ended in a crash
            shutil.rmtree(unpacked, ignore_errors=True)
        return self.run(
            [str(VENV / "bin" / "python"), "-I", str(LAUNCHER)],
            environment(self.home)
            | {
                "BIND_HOST": HOST,
                "GATEWAY_PORT": str(claim.port),
                "LAMBDA_EXECUTOR": "local",
                # Every call of a function is judged by its role and by the resource's policy, as IAM does.
                "AUTH": str(self.judges).lower(),
                # What a new AWS account runs at once; one call more is refused with 429.
                "LAMBDA_ACCOUNT_CONCURRENCY": str(FUNCTIONS_AT_ONCE),
                "LAMBDA_WARM_TTL_SECONDS": str(IDLE_SECONDS),
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self.home.state),
                identity.ID: identity.ensure(self.home.identity, self.home.path),
                identity.HOME: str(self.home.path),
                disk.LEAST: os.environ.get(disk.LEAST, str(disk.LEAST_BYTES)),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self.home.state / "s3"),
                # Listeners that nobody here uses; the first would even be on every interface.
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
            },
            inherit=claim.lock,
        )


def install(say: Callable[[str], None]) -> None:
    """Create the emulator's environment from `uv.lock`, unless it is there already; raises `CommandError`."""
    lock = (REPOSITORY / "uv.lock").read_bytes()
    digest = hashlib.sha256(lock + sys.version.encode()).hexdigest()
    stamp = VENV / "andamio.stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return
    say("Installing the AWS emulator in an environment of its own")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
    result = subprocess.run(
        [_uv(), "sync", *DESCRIPTION, "--python", sys.executable],
        cwd=REPOSITORY,
        env=variables | {"UV_PROJECT_ENVIRONMENT": str(VENV)},
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise CommandError(
            f"The AWS emulator could not be installed. uv says:\n{result.stderr.strip()}\n"
            "Check that the package index can be reached and that the disk is not full, then try again."
        )
    stamp.write_text(digest)


def _uv() -> str:
    """uv: the one that runs us, the one on PATH, or the one that `make` has installed."""
    own = SOFTWARE / "uv" / "bin" / "uv"
    for candidate in (os.environ.get("UV"), shutil.which("uv"), str(own)):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise CommandError("uv is needed to install the AWS emulator. Run `make demo` once: it installs uv.")
