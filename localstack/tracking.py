"""The MLflow server: runs and models in PostgreSQL, artifacts in the emulator's S3.

Clients write artifacts straight to S3, as they do on AWS; the server only reads them, to show them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

from localstack.environment import environment
from localstack.ports import HOST, Claim
from localstack.process import Identity
from localstack.service import ANSWER_SECONDS, Service, answers

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Tracking(Service):
    """`mlflow server` on one port."""

    name: ClassVar[str] = "mlflow"
    title: ClassVar[str] = "The MLflow server"
    # Its server ends in an instant; the command around it then takes its memory apart, on a busy machine for a minute.
    patience: ClassVar[float] = 1.0

    port: int

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether it answers; that takes seconds, most of them imports."""
        return answers(self.port, "/health", seconds)

    def start(self, claim: Claim, *, database: str, endpoint_url: str) -> Identity:
        """Start it on the claimed port; on an empty database it makes its tables first."""
        options = {
            "--host": HOST,
            "--port": str(claim.port),
            "--workers": "1",
            "--backend-store-uri": database,
            "--default-artifact-root": self.home.artifacts.as_uri(),
        }
        return self.run(
            [sys.executable, "-P", "-m", "mlflow", "server", "--no-serve-artifacts", *sum(options.items(), ())],
            environment(self.home)
            | {
                "PYTHONSAFEPATH": "1",
                "AWS_ENDPOINT_URL": endpoint_url,
                "MLFLOW_S3_ENDPOINT_URL": endpoint_url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": REGION,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
                # Its job runners are processes of hundreds of megabytes each, for features that are not used here.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            inherit=claim.lock,
        )
