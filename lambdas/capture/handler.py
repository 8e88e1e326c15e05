"""A delivery of the API's log lines in, what was kept of it out."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.contract.deployed import load_problem
from andamio.names import EVENT_CAPTURE
from andamio.settings import CaptureSettings
from andamio.storage.ports import Objects, PredictionStore
from monitoring.delivery import read, store


@cache
def connect() -> tuple[Contract, Objects, PredictionStore]:
    """The contract, the lake and the table that this function was deployed for; raises `SettingsError`."""
    settings = CaptureSettings.from_env()
    return load_problem(), S3Objects(settings.lake), DynamoPredictionStore(settings.table)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Keep one delivery. Whatever goes wrong is raised: Lambda then tries again, and keeps what it gives up."""
    started = time.perf_counter()
    contract, lake, table = connect()
    delivery = read(event, contract)
    result = {
        "predictions": delivery.predictions,
        "rejections": delivery.rejections,
        "broken": delivery.broken,
        "others": delivery.others,
        "objects": store(delivery, contract, lake, table),
        "lag_seconds": 0.0 if delivery.oldest is None else (datetime.now(UTC) - delivery.oldest).total_seconds(),
    }
    seconds = round(time.perf_counter() - started, 3)
    print(json.dumps({"event": EVENT_CAPTURE, **result, "seconds": seconds}) + "\n", end="", flush=True)
    return result
