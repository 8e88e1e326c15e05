"""The reason why a shard or a chunk failed, from the error that Step Functions caught."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal

from andamio.step import CaughtError
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from scoring.documents import Failure

type Kind = Literal["shard", "chunk"]

NO_REASON = "its function ended without an error message"

_MAX_LENGTH = 500


def one_line(error: CaughtError | None) -> str:
    """What a state machine caught, as one line: the error's name, and its message where there is one."""
    if error is None:
        return NO_REASON
    name, message = error.error or "", error.cause or ""
    try:
        details = json.loads(message)
    except ValueError:
        details = None
    if isinstance(details, dict):
        name = str(details.get("errorType") or name)
        message = str(details.get("errorMessage") or "")
    text = ": ".join(part for part in (name, " ".join(message.split())) if part)
    return text[:_MAX_LENGTH] or NO_REASON


def give_up(objects: Objects, batch: str, kind: Kind, number: int, error: CaughtError, now: datetime) -> None:
    """Write down why a shard or a chunk was given up; a later try writes over it."""
    found = Failure(kind, number, one_line(error), now.isoformat(timespec="seconds"))
    objects.put(_key(batch, kind, number), found.to_json(), content_type=documents.JSON)


def failure(objects: Objects, batch: str, kind: Kind, number: int) -> str:
    """Why a shard or a chunk was given up."""
    found = documents.find(objects, _key(batch, kind, number), Failure)
    return NO_REASON if found is None else found.reason


def _key(batch: str, kind: Kind, number: int) -> str:
    return (
        layout.shard_failure(batch, number)
        if kind == "shard"
        else layout.batch(batch, f"failures/{kind}-{number:05d}.json")
    )
