"""The API as API Gateway sees it: events in, replies out, over objects in memory and a clock that is told the time."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mangum import Mangum

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from lambdas.api.app import create_app
from lambdas.api.champion.serving import Serving
from lambdas.api.predictions.capture import Capture
from lambdas.api.replies.docs import STATIC
from lambdas.api.requests.gateway import RestApi
from lambdas.api.stores import Stores
from tests.support.recording import calling

_ID = re.compile(r"(?<=/batches|dictions)/[^/]+$")
EVENTS = Path(__file__).parents[1] / "events"


class ToldClock:
    """A clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """The time that it was told."""
        return self.time

    def move(self, seconds: float) -> None:
        """Move on (or back, with a negative number)."""
        self.time += timedelta(seconds=seconds)


class SigningObjects(MemoryObjects):
    """A bucket in memory whose links say what was signed."""

    def presigned_post(self, key: str, seconds: int, max_bytes: int) -> dict[str, Any]:
        """A form for one upload."""
        fields = {"key": key, "policy": f"{seconds} s, at most {max_bytes}", "x-amz-signature": "it's signed"}
        return {"url": f"https://{self.bucket}.example/", "fields": fields}

    def presigned_get(self, key: str, seconds: int, name: str) -> str:
        """A link to one download."""
        return f"https://{self.bucket}.example/{key}?seconds={seconds}&name={name}"


@dataclass(frozen=True)
class Answer:
    """A reply of the function."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.text)


@dataclass
class Api:
    """The function, with everything around it in memory."""

    objects: MemoryObjects = field(default_factory=MemoryObjects)
    batch: SigningObjects = field(default_factory=lambda: SigningObjects("batch"))
    lake: MemoryObjects = field(default_factory=lambda: MemoryObjects("lake"))
    table: MemoryPredictionStore = field(default_factory=MemoryPredictionStore)
    clock: ToldClock = field(default_factory=ToldClock)
    problem: str = "heart"
    refresh_seconds: int = 60
    capture: Capture = field(default_factory=Capture)
    static: Path = STATIC
    request_id: str = ""

    def __post_init__(self) -> None:
        self.serving = Serving(self.objects, self.problem, self.clock, self.refresh_seconds, self.capture)
        self.stores = Stores(self.batch, self.table, self.clock, self.lake)
        self.gateway = Mangum(
            create_app(lambda: self.serving, lambda: self.stores, self.static),
            lifespan="off",
            custom_handlers=[RestApi],
            text_mime_types=["text/", "application/"],
        )

    def send(self, event: dict[str, Any]) -> Answer:
        """Hand an event to the function."""
        asked = f"{event['httpMethod']} {_ID.sub('/ID', str(event['path']))}"
        with calling("api", asked):
            reply = self.gateway(event, SimpleNamespace(aws_request_id=self.request_id))
        assert reply["isBase64Encoded"] is False
        return Answer(reply["statusCode"], reply["headers"], reply["body"])

    def get(self, path: str, method: str = "GET", **query: str) -> Answer:
        """Ask for a path."""
        sent = event("api-ping")
        context = sent["requestContext"] | {"path": f"/v1{path}", "resourcePath": path}
        asked = {"resource": path, "path": path, "httpMethod": method, "requestContext": context}
        if query:
            asked |= {"queryStringParameters": query, "multiValueQueryStringParameters": None}
        return self.send(sent | asked)

    def post(self, path: str, body: object, content_type: str | None = "application/json") -> Answer:
        """Send JSON, or text and bytes as they are."""
        sent = event("api-predict") | {"resource": path, "path": path}
        if isinstance(body, bytes):
            # Bytes that are not UTF-8 reach the function this way only: the gateway makes text of all others.
            sent |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        else:
            sent["body"] = body if isinstance(body, str) else json.dumps(body)
        sent["multiValueHeaders"] = None
        sent["headers"] = {name: value for name, value in sent["headers"].items() if name != "Content-Type"}
        if content_type is not None:
            sent["headers"]["Content-Type"] = content_type
        return self.send(sent)

    def predict(self, features: object, **more: object) -> Answer:
        """Ask for one prediction."""
        return self.post("/predict", {"features": features, **more})


def event(name: str) -> dict[str, Any]:
    """A sample event: tests/events/NAME.json."""
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return content
