"""LocalStack's open core on the host, with no Docker and no token, in a virtual environment of its own.

`executor/` runs its functions, and brings the providers that it lacks. All its state is in memory and is gone when
it stops, so that each start is another local cloud, with an id of its own.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from localstack import identity
from localstack.emulator import FUNCTIONS_AT_ONCE
from localstack.environment import environment
from localstack.home import REPOSITORY, SOFTWARE
from localstack.ports import HOST, Claim
from localstack.process import Identity
from localstack.service import ANSWER_SECONDS, Service, answers, http_get
from localstack.software import Software

KIND = "localstack"
EXECUTOR = REPOSITORY / "localstack" / "executor"
LAUNCHER = Path(__file__).with_name("launch_opencore.py")
LOCALSTACK = Software(
    title="LocalStack",
    venv=SOFTWARE / "localstack",
    project=EXECUTOR,
    arguments=("--frozen", "--no-editable", "--compile-bytecode", "--reinstall-package", "localstack-process-executor"),
    sources=(EXECUTOR / "uv.lock", EXECUTOR / "pyproject.toml", *sorted(EXECUTOR.glob("*.py"))),
)


@dataclass(frozen=True, slots=True)
class OpenCore(Service):
    """LocalStack on one port; `at_once` calls of functions run at the same time, and one more is refused."""

    name: ClassVar[str] = "emulator"
    title: ClassVar[str] = "LocalStack"
    patience: ClassVar[float] = 30.0
    forgets: ClassVar[bool] = True

    port: int
    at_once: int = FUNCTIONS_AT_ONCE

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether its gateway answers, and is the one of this home."""
        return answers(self.port, "/_localstack/health", seconds) and identity.is_ours(
            http_get(self.port, identity.PATH, seconds), self.home.passing_identity, self.home.path
        )

    def trouble(self) -> list[str]:
        """Nothing: it writes no state."""
        return []

    def start(self, claim: Claim) -> Identity:
        """Start it on the claimed port, with nothing in it."""
        self.home.passing_identity.unlink(missing_ok=True)
        for unpacked in ("lambda", "localstack"):
            shutil.rmtree(self.home.scratch / unpacked, ignore_errors=True)
        return self.run(
            [str(LOCALSTACK.python), "-I", str(LAUNCHER)],
            environment(self.home)
            | {
                "GATEWAY_LISTEN": f"{HOST}:{claim.port}",
                "LAMBDA_RUNTIME_EXECUTOR": "process",
                "PROVIDER_OVERRIDE_DYNAMODB": "moto",
                "LAMBDA_LIMITS_CONCURRENT_EXECUTIONS": str(self.at_once),
                "LAMBDA_LIMITS_MINIMUM_UNRESERVED_CONCURRENCY": "0",
                identity.ID: identity.ensure(self.home.passing_identity, self.home.path),
                identity.HOME: str(self.home.path),
                # It calls nobody: no certificate, no usage statistics, no name server of its own.
                "SKIP_SSL_CERT_DOWNLOAD": "1",
                "DISABLE_EVENTS": "1",
                "DNS_ADDRESS": "0",
            },
            inherit=claim.lock,
        )
