"""Where finished zips are kept: under the digest of what they are made of, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import REPOSITORY

MAX_KEPT = 3
"""Zips kept of each kind: the ones that were used last."""


def default_store() -> Path:
    """$ANDAMIO_BUNDLES, which several homes may share, else `bundles` in $ANDAMIO_HOME or .andamio."""
    shared = os.environ.get("ANDAMIO_BUNDLES", "")
    home = Path(os.environ.get("ANDAMIO_HOME") or REPOSITORY / ".andamio")
    return Path(shared) if shared else home / "bundles"


def use(path: Path) -> bool:
    """Whether a zip is there; noted, so that it is among the last to be forgotten."""
    if not path.is_file():
        return False
    os.utime(path)
    return True


@contextmanager
def making(path: Path) -> Iterator[tuple[Path, Path]]:
    """A working folder, and a file in it that takes its place at `path` when all went well."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        unfinished = Path(folder) / path.name
        yield Path(folder), unfinished
        unfinished.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A lock: two processes never build the same bundle at the same time."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove_old(folder: Path, label: str) -> None:
    """Delete all but the zips of a bundle that were used last, in each layer."""
    dependencies = set(folder.glob(f"{label}-dependencies-*.zip"))
    finished = set(folder.glob(f"{label}-*.zip")) - dependencies
    for zips in (dependencies, finished):
        for path in sorted(zips, key=lambda file: file.stat().st_mtime)[:-MAX_KEPT]:
            path.unlink(missing_ok=True)
