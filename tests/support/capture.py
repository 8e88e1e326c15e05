"""Log lines as the API writes them, and deliveries of them as CloudWatch Logs makes them.

delivery([prediction(0), rejection(1)])    the event of a function that has subscribed to the API's log
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENT = {
    "age": 63, "sex": 1, "cp": 1, "trestbps": 145, "chol": 233, "fbs": 1, "restecg": 2, "thalach": 150, "exang": 0,
    "oldpeak": 2.3, "slope": 3, "ca": 0, "thal": 6,
}  # fmt: skip
RELEASE = "0123456789abcdef"

Line = dict[str, Any]


def identity(number: int) -> str:
    """The prediction id of a number."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def prediction(
    number: int,
    *,
    at: datetime = NOON,
    release: str = RELEASE,
    features: Mapping[str, Any] | None = PATIENT,
    **more: Any,
) -> Line:
    """The line of a prediction; `features` None is one that was not sampled."""
    line = {
        "event": "andamio.prediction",
        "time": at.isoformat(timespec="milliseconds"),
        "route": "/predict",
        "prediction_id": identity(number),
        "record_id": f"patient-{number}",
        "label": "1",
        "label_text": "Ill",
        "probabilities": {"0": 0.25, "1": 0.75},
        "model": {"name": "heart", "version": release},
        "features": None if features is None else dict(features),
        "duration_ms": 0.2,
    } | more
    if features is None:
        del line["features"]
    return line


def rejection(
    number: int, *violations: tuple[str, str], at: datetime = NOON, release: str = RELEASE, **more: Any
) -> Line:
    """The line of a rejected record: violations are (field, code)."""
    return {
        "event": "andamio.rejection",
        "time": at.isoformat(timespec="milliseconds"),
        "route": "/predict",
        "request_id": f"request-{number}",
        "index": 0,
        "model_version": release,
        "violations": [{"field": field, "code": code} for field, code in violations or [("chol", "out-of-range")]],
    } | more


def delivery(lines: Sequence[Line | str], *, kind: str = "DATA_MESSAGE", ids: Sequence[str] | None = None) -> Line:
    """The event; a line that is no JSON is a text. Ids of log events are made of the lines unless they are given."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    names = ids or [hashlib.sha256(text.encode()).hexdigest()[:56] for text in texts]
    payload = {
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "/aws/lambda/andamio-heart-api",
        "logStream": "2026/03/01/[$LATEST]0123",
        "subscriptionFilters": ["andamio-heart-capture"],
        "logEvents": [
            {"id": name, "timestamp": 1_772_366_400_000, "message": f"{text}\n"}
            for name, text in zip(names, texts, strict=True)
        ],
    }
    return packed(payload)


def packed(payload: object) -> Line:
    """Any payload as CloudWatch Logs packs it."""
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()}}


def minutes(count: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)
