"""Why a shard or a chunk was given up: what the machine was told, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from andamio.errors import ObjectNotFound
from andamio.storage import layout
from andamio.storage.ports import Objects

NO_REASON = "its function ended without a word"

_MAX_LENGTH = 500


def one_line(error: object) -> str:
    """What a state machine caught, as one line: the error's name, and its message where there is one."""
    if not isinstance(error, Mapping):
        return NO_REASON
    name, cause = str(error.get("Error") or ""), error.get("Cause")
    message = str(cause or "")
    try:
        details = json.loads(message)
    except ValueError:
        details = None
    if isinstance(details, dict):
        name = str(details.get("errorType") or name)
        message = str(details.get("errorMessage") or "")
    text = ": ".join(part for part in (name, " ".join(message.split())) if part)
    return text[:_MAX_LENGTH] or NO_REASON


def give_up(objects: Objects, batch: str, kind: str, number: int, error: object, now: datetime) -> None:
    """Write down why a "shard" or a "chunk" was given up; a later try writes over it."""
    details = {kind: number, "reason": one_line(error), "at": now.isoformat(timespec="seconds")}
    objects.put(_key(batch, kind, number), json.dumps(details).encode(), content_type="application/json")


def failure(objects: Objects, batch: str, kind: str, number: int) -> str:
    """Why a shard or a chunk was given up."""
    try:
        details: dict[str, Any] = json.loads(objects.get(_key(batch, kind, number)).body)
    except ObjectNotFound:
        return NO_REASON
    return str(details["reason"])


def _key(batch: str, kind: str, number: int) -> str:
    return (
        layout.shard_failure(batch, number)
        if kind == "shard"
        else layout.batch(batch, f"failures/{kind}-{number:05d}.json")
    )
