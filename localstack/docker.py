"""LocalStack's official image with PostgreSQL and MLflow in Docker, by `compose.yaml`.

One `docker compose up` in the foreground is the process of this local cloud: its log is theirs, and they stop with it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from andamio.errors import CommandError
from localstack import identity
from localstack.home import Home
from localstack.ports import Claim
from localstack.process import Identity
from localstack.service import ANSWER_SECONDS, Service, answers, http_get

COMPOSE = Path(__file__).with_name("compose.yaml")
TOKEN = "LOCALSTACK_AUTH_TOKEN"  # noqa: S105 - the name of a variable
ADDRESS = "localhost.localstack.cloud"
"""MLflow's host: this machine for you, and LocalStack's container for the functions."""
START_SECONDS = 900.0
"""The first start downloads the images."""


def check() -> None:
    """Raise `CommandError` with all that is missing, unless Docker Compose and a token are there."""
    missing = []
    if shutil.which("docker") is None:
        missing.append("a Docker engine: there is no command `docker`")
    elif (said := _complaint("info")) is not None:
        missing.append(f"a Docker engine that answers: `docker info` says {said!r}")
    elif (said := _complaint("compose", "version")) is not None:
        missing.append(f"Docker Compose: `docker compose version` says {said!r}")
    if not os.environ.get(TOKEN):
        missing.append(f"a token of LocalStack in the variable {TOKEN}: https://app.localstack.cloud")
    if missing:
        raise CommandError(
            f"LocalStack's image needs {'; and '.join(missing)}. "
            "LocalStack's open core needs neither Docker nor a token: andamio up --emulator localstack"
        )


@dataclass(frozen=True, slots=True)
class Docker(Service):
    """The containers of one home; MLflow has a port of its own."""

    name: ClassVar[str] = "emulator"
    title: ClassVar[str] = "LocalStack in Docker"
    ask: ClassVar[signal.Signals] = signal.SIGINT
    patience: ClassVar[float] = 60.0
    forgets: ClassVar[bool] = True

    port: int
    mlflow_port: int

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether its gateway answers, and is the one of this home."""
        return identity.is_ours(http_get(self.port, identity.PATH, seconds), self.home.passing_identity, self.home.path)

    def trouble(self) -> list[str]:
        """Nothing: it says so in its log."""
        return []

    def start(self, claim: Claim) -> Identity:
        """Start the containers, LocalStack with nothing in it."""
        self.home.passing_identity.unlink(missing_ok=True)
        return self.run(_compose(self.home, "up", "--no-color"), self._environment(), inherit=claim.lock)

    def stop(self, identity: Identity | None, patience: float | None = None) -> bool:
        """Stop the containers and remove them; the volume of the database stays. Raises `CommandError`."""
        by_itself = Service.stop(self, identity, patience)
        if identity is not None:
            _remove(self.home)
        return by_itself

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,  # Docker's own settings are there, and the token
            "ANDAMIO_EMULATOR_PORT": str(self.port),
            "ANDAMIO_MLFLOW_PORT": str(self.mlflow_port),
            identity.ID: identity.ensure(self.home.passing_identity, self.home.path),
            identity.HOME: str(self.home.path),
        }


@dataclass(frozen=True, slots=True)
class Beside(Service):
    """PostgreSQL or MLflow, a container that starts and stops with LocalStack's."""

    def stop(self, identity: Identity | None, patience: float | None = None) -> bool:
        """Leave it to LocalStack's."""
        return True


@dataclass(frozen=True, slots=True)
class PostgresBeside(Beside):
    """PostgreSQL, whose port is known inside Docker only."""

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Yes: MLflow is started once it accepts connections."""
        return True


@dataclass(frozen=True, slots=True)
class MlflowBeside(Beside):
    """The MLflow server."""

    name: ClassVar[str] = "mlflow"
    title: ClassVar[str] = "The MLflow server"

    port: int

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether it answers."""
        return answers(self.port, "/health", seconds)


def purge(home: Home, *, used: bool) -> None:
    """Remove the containers of a home with the volume of their database.

    Raises `CommandError` when that fails and they were `used`; else a machine may have no Docker engine that runs.
    """
    with nullcontext() if used else suppress(CommandError):
        _remove(home, "--volumes")


def _remove(home: Home, *options: str) -> None:
    # Compose reads the whole file first, and it refuses one without a token.
    variables = {**os.environ, TOKEN: os.environ.get(TOKEN) or "none"}
    command = _compose(home, "down", *options)
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        complaint = _last_line(done.stderr.splitlines()) if done.returncode else ""
    except OSError as error:
        complaint = str(error)
    if complaint:
        raise CommandError(
            f"The containers of this local cloud could not be removed, and may run still: {complaint!r}. See that the "
            f"Docker engine answers, then run: andamio down (or: {shlex.join(command)})"
        )


def _compose(home: Home, *arguments: str) -> list[str]:
    return ["docker", "compose", "--project-name", home.project, "--file", str(COMPOSE), *arguments]


def _complaint(*arguments: str) -> str | None:
    """The last line of what a Docker command complains of; None where it works."""
    command = ["docker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else _last_line(done.stderr.splitlines())


def _last_line(lines: Sequence[str]) -> str:
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
