"""LocalStack's open core on the host, with no Docker and no token, in a virtual environment of its own.

`executor/` runs its functions; what it lacks for our template is beside it, in `executor/` too. It keeps its state in
memory alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from localstack.environment import environment
from localstack.home import REPOSITORY, SOFTWARE
from localstack.ports import HOST, Claim
from localstack.process import Identity
from localstack.service import Service, answers
from localstack.software import Software

EXECUTOR = REPOSITORY / "localstack" / "executor"
LOCALSTACK = Software(
    title="LocalStack",
    venv=SOFTWARE / "localstack",
    project=EXECUTOR,
    arguments=("--frozen", "--no-editable", "--compile-bytecode", "--reinstall-package", "localstack-process-executor"),
    sources=(EXECUTOR / "uv.lock", EXECUTOR / "pyproject.toml", *sorted(EXECUTOR.glob("*.py"))),
)


@dataclass(frozen=True, slots=True)
class OpenCore(Service):
    """LocalStack on one port."""

    name: ClassVar[str] = "emulator"
    title: ClassVar[str] = "LocalStack"
    patience: ClassVar[float] = 30.0

    port: int

    def healthy(self) -> bool:
        """Whether its gateway answers."""
        return answers(self.port, "/_localstack/health")

    def start(self, claim: Claim) -> Identity:
        """Start it on the claimed port, with nothing in it."""
        return self.run(
            [str(LOCALSTACK.python), "-m", "localstack.runtime.main"],
            environment(self.home)
            | {
                "GATEWAY_LISTEN": f"{HOST}:{claim.port}",
                "LAMBDA_RUNTIME_EXECUTOR": "process",
                # It calls nobody: no certificate, no usage statistics, no name server of its own.
                "SKIP_SSL_CERT_DOWNLOAD": "1",
                "DISABLE_EVENTS": "1",
                "DNS_ADDRESS": "0",
            },
            inherit=claim.lock,
        )
