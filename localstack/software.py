"""Environments of their own for the emulators: installed from a lock, and again when that has changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from andamio.errors import CommandError
from localstack.home import SOFTWARE


@dataclass(frozen=True, slots=True)
class Software:
    """A virtual environment, made by `uv sync` with these arguments in `project`.

    `sources` are the files that it is made from: where one of them changes, it is made again.
    """

    title: str
    venv: Path
    project: Path
    arguments: Sequence[str]
    sources: Sequence[Path]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "bin" / "python"

    def install(self, say: Callable[[str], None]) -> None:
        """Create the environment, unless it is there already; raises `CommandError`."""
        content = b"".join(source.read_bytes() for source in self.sources)
        digest = hashlib.sha256(content + sys.version.encode()).hexdigest()
        stamp = self.venv / "andamio.stamp"
        if stamp.exists() and stamp.read_text() == digest:
            return
        say(f"Installing {self.title} in an environment of its own")
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
        result = subprocess.run(
            [_uv(), "sync", *self.arguments, "--python", sys.executable],
            cwd=self.project,
            env=variables | {"UV_PROJECT_ENVIRONMENT": str(self.venv)},
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise CommandError(
                f"{self.title[0].upper()}{self.title[1:]} could not be installed. uv says:\n{result.stderr.strip()}\n"
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
