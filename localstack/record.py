"""`cloud.json`: what runs, under which ids, at which addresses. The only thing other parts read.

{"home", "cloud", "emulator", "docker", "endpoint_url", "region", "account", "iam", "tasks", "mlflow_url",
 "services": {"emulator" | "postgres" | "mlflow": {"pid", "started", "port", "log"}}}

"cloud" is the id that the emulator answers (`identity.py`), "emulator" its kind: ministack or localstack. "docker" says
whether the services are containers. An address is null while its service is not started; `port` of PostgreSQL is null,
for it has none. `iam` says whether permissions are enforced, `tasks` whether ECS runs tasks.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from localstack import docker, identity
from localstack import emulator as ministack
from localstack.home import Home
from localstack.ports import HOST
from localstack.process import Identity
from localstack.service import Service
from localstack.tracking import REGION

ACCOUNT = "000000000000"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """One service as it was started."""

    identity: Identity
    port: int | None
    log: str


@dataclass(slots=True)
class Record:
    """The services of one home that were started and not stopped; some may have died since."""

    home: Home
    services: dict[str, Started] = field(default_factory=dict)
    iam: bool = True
    emulator: str = ministack.KIND
    docker: bool = False

    @classmethod
    def read(cls, home: Home) -> Self:
        """The content of `cloud.json`; empty when it is missing, broken, or copied from another clone."""
        try:
            values = json.loads(home.record.read_bytes())
            if values["home"] != str(home.path):
                return cls(home)
            services = {
                name: Started(Identity(int(it["pid"]), float(it["started"])), it["port"], str(it["log"]))
                for name, it in values["services"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(home)
        kind = str(values.get("emulator", ministack.KIND))
        return cls(home, services, values.get("iam") is not False, kind, values.get("docker") is True)

    def identity(self, name: str) -> Identity | None:
        """The process that a service was started as; it may have ended since."""
        return self.services[name].identity if name in self.services else None

    def port(self, name: str) -> int | None:
        """The port that a service was given."""
        return self.services[name].port if name in self.services else None

    def add(self, service: Service, identity: Identity, port: int | None = None) -> None:
        """Record a service at once when it has started, so that it is known after a crash of this command."""
        self.services[service.name] = Started(identity, port, str(service.log))
        write_json(self.home.record, self.as_json())

    @property
    def _identity(self) -> Path:
        return self.home.identity if self.emulator == ministack.KIND else self.home.passing_identity

    def url(self, name: str) -> str | None:
        """Where a service with a port is reached."""
        port = self.port(name)
        host = docker.ADDRESS if self.docker and name == "mlflow" else HOST
        return f"http://{host}:{port}" if port else None

    def as_json(self) -> Json:
        """The content of `cloud.json`."""
        return {
            "home": str(self.home.path),
            "cloud": identity.read(self._identity, self.home.path),
            "emulator": self.emulator,
            "docker": self.docker,
            "endpoint_url": self.url("emulator"),
            "region": REGION,
            "account": ACCOUNT,
            "iam": self.iam,
            "tasks": self.emulator == ministack.KIND,
            "mlflow_url": self.url("mlflow"),
            "services": {
                name: {"pid": it.identity.pid, "started": it.identity.started, "port": it.port, "log": it.log}
                for name, it in self.services.items()
            },
        }


def write_json(path: Path, values: Json) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(values, indent=2) + "\n")
    fresh.replace(path)
