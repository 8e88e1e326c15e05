"""Replies: bytes, and the headers that all of them carry.

Any origin may read them. There are no cookies to misuse and the key travels in a header that a page
must be given, so a browser client needs no list of allowed origins kept anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Response

from lambdas.api.replies import problems

_ALWAYS = (
    (b"access-control-allow-origin", b"*"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_NO_STORE = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")

encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""Compact ASCII JSON; raises ValueError rather than writing NaN, which is none."""

MOST_REPLY_BYTES = 6_000_000
"""Bytes of a body as it travels. Lambda takes 6 MB (2^20) of a reply with all around it."""


def travelling(text: str) -> int:
    """Bytes of an ASCII body inside the JSON of a function's reply, which escapes quotes and backslashes."""
    return len(text) + text.count('"') + text.count("\\")


class Reply(Response):
    """A response whose headers are given as they travel."""

    def __init__(self, body: bytes, headers: Iterable[tuple[bytes, bytes]], status: int = 200) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]


def json_reply(value: object, status: int = 200) -> Reply:
    """A value as JSON, not to be kept by caches."""
    return Reply(encode(value).encode(), (_JSON, _NO_STORE, *_ALWAYS), status)


def problem_reply(body: Mapping[str, Any], extra: Iterable[tuple[bytes, bytes]] = ()) -> Reply:
    """Problem details, with the headers that go with them."""
    kind = (b"content-type", problems.MEDIA_TYPE.encode())
    return Reply(
        encode(body).encode(), (kind, _NO_STORE, *_ALWAYS, *problems.headers(body), *extra), int(body["status"])
    )


def page_reply(body: bytes, media_type: str, *, policy: str = "", seconds: int = 0) -> Reply:
    """A page or a part of one: with its own content security policy, kept for some seconds."""
    caching = (b"cache-control", f"public, max-age={seconds}".encode()) if seconds else _NO_STORE
    always = [(name, policy.encode() if policy and name == b"content-security-policy" else v) for name, v in _ALWAYS]
    return Reply(body, ((b"content-type", media_type.encode()), caching, *always))


def moved(location: str) -> Reply:
    """A redirection to a relative place, so that it holds under any stage or domain."""
    return Reply(b"", ((b"location", location.encode()), *_ALWAYS), 307)


def preflight(methods: str) -> Reply:
    """The answer to a browser's preflight request (CORS): any origin may send a key and JSON, for a day."""
    return Reply(
        b"",
        (
            (b"access-control-allow-origin", b"*"),
            (b"access-control-allow-methods", f"{methods}, OPTIONS".encode()),
            (b"access-control-allow-headers", b"x-api-key, content-type"),
            (b"access-control-max-age", b"86400"),
            (b"allow", f"{methods}, OPTIONS".encode()),
        ),
        204,
    )
