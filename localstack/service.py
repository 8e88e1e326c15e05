"""The base class of the three services: their description, and the wait until they answer."""

from __future__ import annotations

import http.client
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from andamio.errors import CommandError
from localstack.home import Home
from localstack.ports import HOST
from localstack.process import Identity, spawn, stop, wait_until

LOG_LINES = 15
ANSWER_BYTES = 1 << 16
ANSWER_SECONDS = 2.0
"""How long an answer may take, unless the service is known to be busy."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service of one home. A subclass defines its command and its readiness check."""

    name: ClassVar[str]
    title: ClassVar[str]
    ask: ClassVar[signal.Signals] = signal.SIGTERM
    patience: ClassVar[float] = 10.0
    forgets: ClassVar[bool] = False
    """Whether its state is in memory, and gone when its process ends."""

    home: Home

    @property
    def mark(self) -> str:
        """The mark that identifies the processes of this service in this home."""
        return f"{self.name}@{self.home.path}"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.home.log(self.name)

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether it answers; `seconds` is how long each of its answers may take."""
        raise NotImplementedError

    def run(self, command: list[str], environment: dict[str, str], inherit: int | None = None) -> Identity:
        """Start a command as this service."""
        return spawn(
            command, environment=environment, folder=self.home.scratch, log=self.log, mark=self.mark, inherit=inherit
        )

    def stop(self, identity: Identity | None, patience: float | None = None) -> bool:
        """End the service and its child processes; False when one had to be killed."""
        seconds = self.patience if patience is None else patience
        return stop(identity, mark=self.mark, ask=self.ask, patience=seconds)

    def wait(self, identity: Identity, seconds: float) -> None:
        """Wait until it answers; raises `CommandError` with the end of its log when it ends or takes too long."""
        wait_until(lambda: self.healthy() or not identity.alive, seconds)
        if not identity.alive:
            raise self.failure("ended while it was starting")
        if not self.healthy():
            raise self.failure(f"has not answered for {seconds:.0f} seconds")

    def failure(self, what: str) -> CommandError:
        """An error that shows the end of this service's log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            lines = []
        shown = "\n".join(f"  | {line}" for line in lines) or "  | (it wrote nothing)"
        return CommandError(
            f"{self.title} {what}. Its log ends with:\n{shown}\n"
            f"The whole log is {self.log}. Run `make down` and try again; "
            f"if it keeps failing, `make down PURGE=1` starts from nothing."
        )


def answers(port: int, path: str, seconds: float = ANSWER_SECONDS) -> bool:
    """Whether a GET on the loopback interface returns 200, without a proxy."""
    return http_get(port, path, seconds) is not None


def http_get(port: int, path: str, seconds: float = ANSWER_SECONDS) -> bytes | None:
    """The beginning of what a GET on the loopback interface is answered with; None unless that is a 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.read(ANSWER_BYTES) if reply.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
