"""One request to the API's function, as API Gateway hands it on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from andamio import names


@dataclass(frozen=True)
class Reply:
    """What the API answers."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.text)


def proxy_event(method: str, path: str, body: object, query: Mapping[str, str]) -> dict[str, Any]:
    """The event of a REST API for a request; a body that is no text is sent as JSON."""
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    headers = {"Accept": "application/json", **({} if text is None else {"Content-Type": "application/json"})}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "path": f"/{names.API_STAGE}{path}",
            "stage": names.API_STAGE,
            "protocol": "HTTP/1.1",
            "requestId": "request",
            "identity": {"sourceIp": "127.0.0.1"},
            "domainName": "api.example",
            "apiId": "api",
        },
        "body": text,
        "isBase64Encoded": False,
    }


@contextmanager
def event_loop() -> Iterator[None]:
    """A loop for the one request: a function has its own, and a test need not have any."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()
