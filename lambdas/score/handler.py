"""A step of scoring a file: the event of the state machine in, a status and names out."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.names import EVENT_BATCH
from andamio.settings import ScoreSettings
from scoring.context import ScoringContext
from scoring.steps import run_step


@cache
def connect() -> ScoringContext:
    """The buckets and the table that this function was deployed for, and its open releases; raises `SettingsError`."""
    settings = ScoreSettings.from_env()
    return ScoringContext(
        settings.problem,
        settings.batch,
        S3Objects(settings.batch),
        S3Objects(settings.models),
        DynamoPredictionStore(settings.table),
        settings.shard_bytes,
    )


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Run one step of `scoring.steps`."""
    started = time.perf_counter()
    result = run_step(connect(), event, datetime.now(UTC))
    said: dict[str, Any] = {name: event[name] for name in ("step", "batch", "shard", "chunk") if name in event}
    seconds = round(time.perf_counter() - started, 3)
    line = {"event": EVENT_BATCH, **said, **result, "seconds": seconds}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return result
