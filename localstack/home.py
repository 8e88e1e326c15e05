"""Where one local cloud keeps its things: `ANDAMIO_HOME`, by default `.andamio` in the clone."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from andamio.errors import CommandError

REPOSITORY = Path(__file__).resolve().parent.parent
SOFTWARE = REPOSITORY / ".andamio"
"""What is installed for this clone, whichever home is used: `uv/` and the emulator's environment."""
SOCKET_PATH_LIMIT = 100
"""Bytes of a Unix socket's path: the kernel takes 107 on Linux, 103 on macOS."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folders and files of one local cloud; two homes never share anything."""

    path: Path

    @classmethod
    def at(cls, path: str | None) -> Home:
        """The given home, else `ANDAMIO_HOME`, else `.andamio` in the clone."""
        return cls(Path(path or os.environ.get("ANDAMIO_HOME") or REPOSITORY / ".andamio").expanduser().resolve())

    @property
    def record(self) -> Path:
        """The running services: written by `up`, deleted by `down`."""
        return self.path / "cloud.json"

    @property
    def ports(self) -> Path:
        """The ports of the last start: they outlive `down`, so that addresses stay the same."""
        return self.path / "ports.json"

    @property
    def lock(self) -> Path:
        """Held while a command changes what runs."""
        return self.path / "cloud.lock"

    @property
    def state(self) -> Path:
        """What the emulator remembers: stacks, functions, APIs, and S3 objects under `s3/`."""
        return self.path / "state"

    @property
    def identity(self) -> Path:
        """The id of this cloud; with the state, because it is the state's: purged together."""
        return self.state / "andamio-cloud.json"

    @property
    def passing_identity(self) -> Path:
        """The id of a cloud that keeps its state in memory: another one at each start."""
        return self.path / "passing-cloud.json"

    @property
    def outputs(self) -> Path:
        """What the last deploy made, written by `andamio deploy` for programs."""
        return self.path / "outputs.json"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "postgres"

    @property
    def scratch(self) -> Path:
        """`TMPDIR` and `HOME` of everything that runs here: functions unpack into it."""
        return self.path / "tmp"

    @property
    def discarded(self) -> list[Path]:
        """What was the scratch folder before a stop, while it is being removed."""
        return sorted(self.path.glob("discarded-*"))

    @property
    def artifacts(self) -> Path:
        """Where MLflow puts artifacts of experiments that name no bucket."""
        return self.path / "artifacts"

    @property
    def sockets(self) -> Path:
        """PostgreSQL's socket directory: in the home, or in `/tmp` when the home's path is too long."""
        inside = self.path / "run"
        if len(os.fsencode(inside / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return private_folder() / digest

    @property
    def project(self) -> str:
        """The name of its containers' project, where they run in Docker."""
        return f"andamio-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}"

    def log(self, service: str) -> Path:
        """The log of one service, from its last start on."""
        return self.path / "logs" / f"{service}.log"

    @property
    def forgettable(self) -> tuple[Path, ...]:
        """What `down --purge` removes: all state, but no software, no bundles, and no outputs of deploys to AWS."""
        names = (
            "state",
            "postgres",
            "tmp",
            "run",
            "artifacts",
            "logs",
            "ports.json",
            "passing-cloud.json",
            "outputs/local",
        )
        last = (self.outputs,) if self._last_deploy_was_local else ()
        return (*(self.path / name for name in names), self.sockets, *last)

    @property
    def _last_deploy_was_local(self) -> bool:
        try:
            return bool(json.loads(self.outputs.read_bytes())["emulator"])
        except (OSError, ValueError, KeyError, TypeError):
            return True  # outputs that cannot be read are of no use to anybody


def private_folder() -> Path:
    """A folder in `/tmp` that only this user can enter, independent of `TMPDIR`.

    Raises `CommandError` when somebody else has made a folder of that name.
    """
    folder = Path("/tmp") / f"andamio-{os.getuid()}"  # noqa: S108  (its owner is checked below)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise CommandError(f"{folder} belongs to another user. Remove it, or ask its owner to remove it.")
    return folder
