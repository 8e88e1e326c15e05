"""Zips whose bytes depend on their content alone: sorted names, one timestamp, fixed permissions."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

TIMESTAMP = (1980, 1, 1, 0, 0, 0)
COMPRESSION = 6
FILE, PROGRAM = 0o100644, 0o100755


def write_zip(path: Path, entries: Mapping[str, Path], *, append: bool = False) -> None:
    """Write files (name in the zip -> file) to a zip, or after the entries of one that is there."""
    with zipfile.ZipFile(path, "a" if append else "w") as archive:
        for name in sorted(entries):
            _write(archive, name, entries[name].read_bytes())


def write_bytes(path: Path, entries: Mapping[str, bytes]) -> None:
    """Write contents (name in the zip -> bytes) to a zip, in one move."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name in sorted(entries):
            _write(archive, name, entries[name])
    unfinished.replace(path)


def _write(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    info = zipfile.ZipInfo(name, TIMESTAMP)
    info.create_system = 3  # Unix, whatever the machine: the permissions below count there only
    info.external_attr = (PROGRAM if ".so" in name else FILE) << 16
    archive.writestr(info, body, zipfile.ZIP_DEFLATED, COMPRESSION)


def files(tree: Path) -> dict[str, Path]:
    """Every file of a folder: name relative to it -> file, in order."""
    return {p.relative_to(tree).as_posix(): p for p in sorted(tree.rglob("*")) if p.is_file()}


def names(path: Path) -> set[str]:
    """What a zip holds."""
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def unpacked_bytes(path: Path) -> int:
    """What a zip takes on disk, as Lambda counts it."""
    with zipfile.ZipFile(path) as archive:
        return sum(info.file_size for info in archive.infolist())


def unpack(path: Path, folder: Path) -> None:
    """Extract a zip into a folder."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)


def digest(parts: Mapping[str, str | bytes]) -> str:
    """SHA-256 (hex) of named parts, in the order of their names; no two different mappings share one."""
    total = hashlib.sha256()
    for name in sorted(parts):
        part = parts[name]
        body = part.encode() if isinstance(part, str) else part
        total.update(f"{len(name)}:{name}:{len(body)}:".encode() + body)
    return total.hexdigest()
