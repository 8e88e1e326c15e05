"""JSON documents in storage."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(body: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(body).hexdigest()


def to_json(value: Any) -> bytes:
    """JSON for people and programs: keys sorted, no NaN."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
