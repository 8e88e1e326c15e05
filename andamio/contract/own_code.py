"""The code that a problem may bring beside its contract: where it lies, and its digest. It is not run here."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from andamio.names import CODE_PACKAGE, PREPARE_FILE

__all__ = ["PREPARE_FILE", "deployed_source", "find_source", "prepare_digest"]


def find_source(folder: Path) -> bytes | None:
    """The bytes of a problem folder's prepare.py, None where it has none."""
    try:
        return (folder / PREPARE_FILE).read_bytes()
    except FileNotFoundError:
        return None


def deployed_source(package: str = CODE_PACKAGE) -> bytes | None:
    """The bytes of the prepare.py that this function was deployed with, None where it was deployed without."""
    try:
        return resources.files(package).joinpath(PREPARE_FILE).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        return None


def prepare_digest(source: bytes | None) -> str | None:
    """SHA-256 (hex) of a prepare.py, the same whatever its line ends are; None of none."""
    return None if source is None else hashlib.sha256(source.replace(b"\r\n", b"\n")).hexdigest()
