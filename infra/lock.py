"""Which lock file the functions are built from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from infra import REPOSITORY


def lock_digest(repository: Path = REPOSITORY) -> str:
    """SHA-256 (hex) of uv.lock: what `sha256sum uv.lock` prints, for a model's record to name."""
    return hashlib.sha256((repository / "uv.lock").read_bytes()).hexdigest()
