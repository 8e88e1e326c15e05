"""The code that a problem may bring beside its contract: where it lies, and its digest. It is not run here."""

from __future__ import annotations

import base64
import hashlib
import zlib
from importlib import resources
from pathlib import Path

from andamio.errors import ContractError
from andamio.names import CODE_PACKAGE, PIPELINE_FILE, PREPARE_FILE

__all__ = [
    "PIPELINE_FILE",
    "PREPARE_FILE",
    "deployed_source",
    "find_source",
    "packed",
    "prepare_digest",
    "source_digest",
]

MOST_PACKED = 32 * 1024
"""Bytes of a packed pipeline.py: a task definition, which has more in it, is of 64 KiB at most."""


def find_source(folder: Path, name: str = PREPARE_FILE) -> bytes | None:
    """The bytes of a problem folder's prepare.py or pipeline.py, None where it has none."""
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        return None


def deployed_source(name: str = PREPARE_FILE, package: str = CODE_PACKAGE) -> bytes | None:
    """The bytes of the file of code that this function was deployed with, None where it was deployed without."""
    try:
        return resources.files(package).joinpath(name).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        return None


def source_digest(source: bytes) -> str:
    """SHA-256 (hex) of a file of code, the same whatever its line ends are."""
    return hashlib.sha256(source.replace(b"\r\n", b"\n")).hexdigest()


def prepare_digest(source: bytes | None) -> str | None:
    """The digest of a prepare.py; None of none."""
    return None if source is None else source_digest(source)


def packed(source: bytes, file: str = PIPELINE_FILE) -> str:
    """A pipeline.py as the definition of a task holds it: compressed, in Base64; raises `ContractError` if too long."""
    text = base64.b64encode(zlib.compress(source, 9)).decode()
    if len(text) > MOST_PACKED:
        raise ContractError(
            f"{file}: has {len(source):,} bytes, and {len(text):,} as it is sent to tasks that train; {MOST_PACKED:,} "
            "fit there. Take out what is data: tables and lists of values belong into the files of [data]"
        )
    return text
