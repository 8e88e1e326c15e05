"""A step of scoring a file: the event of the state machine in, a status and names out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.names import EVENT_BATCH
from andamio.prepare.code import OwnCode, deployed
from andamio.settings import ScoreSettings
from andamio.step import logged_step
from scoring.context import ScoringContext
from scoring.steps import STEPS, Call


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
        S3Objects(settings.lake),
        settings.capture_share,
        settings.private,
        own_code,
    )


@cache
def own_code() -> OwnCode | None:
    """The problem's own code that this function was deployed with; raises `PrepareError`."""
    return deployed()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Run one step of `scoring.steps`."""
    shown = ("batch", "shard", "chunk")
    return logged_step(STEPS, lambda: Call(connect(), datetime.now(UTC)), event, EVENT_BATCH, *shown)
