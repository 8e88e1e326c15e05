"""The AWS emulator, ministack, in a virtual environment of its own.

Functions run on its interpreter with its packages, so nothing else may be installed there: it
would hide what a bundle lacks.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from localstack import disk, identity, state
from localstack.environment import environment
from localstack.home import REPOSITORY, SOFTWARE
from localstack.ports import HOST, Claim
from localstack.process import Identity
from localstack.service import ANSWER_SECONDS, Service, answers, http_get
from localstack.software import Software

KIND = "ministack"
LAUNCHER = Path(__file__).with_name("launch.py")
MINISTACK = Software(
    title="the AWS emulator",
    venv=SOFTWARE / "emulator",
    project=REPOSITORY,
    arguments=("--only-group", "emulator", "--no-install-project", "--frozen", "--compile-bytecode"),
    sources=(REPOSITORY / "uv.lock",),
)
FUNCTIONS_AT_ONCE = 10
"""Calls of functions that run at the same time, as in a new AWS account."""
IDLE_SECONDS = 15 * 60
"""How long a process that a burst has left behind is kept warm; the first one of a function stays."""


@dataclass(frozen=True, slots=True)
class Emulator(Service):
    """ministack on one port; it saves its state when it is idle, and when it stops.

    `judges`: whether calls are refused that IAM would refuse. `at_once` calls of functions run at the same time, and
    one more is refused.
    """

    name: ClassVar[str] = "emulator"
    title: ClassVar[str] = "The AWS emulator"
    patience: ClassVar[float] = 60.0  # it writes its state on the way out

    port: int
    judges: bool = True
    at_once: int = FUNCTIONS_AT_ONCE

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether its gateway answers, and is the one of this home."""
        return answers(self.port, "/_ministack/health", seconds) and identity.is_ours(
            http_get(self.port, identity.PATH, seconds), self.home.identity, self.home.path
        )

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
        for unpacked in self.home.scratch.glob("ministack-lambda-*"):  # unpacked functions of a start that crashed
            shutil.rmtree(unpacked, ignore_errors=True)
        return self.run(
            [str(MINISTACK.python), "-I", str(LAUNCHER)],
            environment(self.home)
            | {
                "BIND_HOST": HOST,
                "GATEWAY_PORT": str(claim.port),
                "LAMBDA_EXECUTOR": "local",
                # Every call of a function is judged by its role and by the resource's policy, as IAM does.
                "AUTH": str(self.judges).lower(),
                # What a new AWS account runs at once; one call more is refused with 429.
                "LAMBDA_ACCOUNT_CONCURRENCY": str(self.at_once),
                "LAMBDA_WARM_TTL_SECONDS": str(IDLE_SECONDS),
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self.home.state),
                identity.ID: identity.ensure(self.home.identity, self.home.path),
                identity.HOME: str(self.home.path),
                disk.LEAST: os.environ.get(disk.LEAST, str(disk.LEAST_BYTES)),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self.home.state / "s3"),
                # Listeners that are not used here; the first would listen on every interface.
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
            },
            inherit=claim.lock,
        )
