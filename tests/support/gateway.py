"""API Gateway in this process: HTTP in, proxy events to the function, and the gateway's own answers.

It listens on 127.0.0.1 alone. Clients and fuzzers that speak HTTP only are tested with it: what they send travels as
it does on AWS, under the path of a stage and with an API key.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from andamio import names
from infra.constructs.api import OPEN_METHODS, PUBLIC_PAGES
from infra.constructs.api_errors import ERRORS, HEADERS

KEY = "the-key-of-tests"
STAGE = f"/{names.API_STAGE}"
_OPEN = tuple("/" + page.replace("{asset+}", "") for page in PUBLIC_PAGES)

Handle = Callable[[dict[str, Any]], dict[str, Any]]
"""The function: an event in, a reply out."""


@contextmanager
def gateway(handle: Handle) -> Iterator[str]:
    """An API's address, such as http://127.0.0.1:40001/v1, as long as it is served."""

    # One environment of a function answers one request at a time, in a thread with an event loop.
    environment = ThreadPoolExecutor(1, initializer=lambda: asyncio.set_event_loop(asyncio.new_event_loop()))

    class Handler(_Handler):
        function = staticmethod(lambda event: environment.submit(handle, event).result())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{STAGE}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        environment.submit(lambda: asyncio.get_event_loop().close()).result()
        environment.shutdown()


class _Handler(BaseHTTPRequestHandler):
    function: Handle
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """Any method, whatever its name."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self._body()
        try:
            self._answer(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path.removeprefix(STAGE)) or "/"
        shut = self.headers.get("x-api-key") != KEY and self.command != "OPTIONS"
        opened = self.command in OPEN_METHODS and any(
            path == page or (page.endswith("/") and path.startswith(page)) for page in _OPEN
        )
        if not url.path.startswith(STAGE) or (shut and not opened):
            self._reply(_own("INVALID_API_KEY"))
            return
        self._reply(type(self).function(self._event(path, url.query, body)))

    def _event(self, path: str, query: str, body: bytes) -> dict[str, Any]:
        asked = parse_qs(query, keep_blank_values=True)
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name, []).append(value)
        try:
            text, is_base64 = body.decode(), False
        except UnicodeDecodeError:
            text, is_base64 = base64.b64encode(body).decode(), True
        return {
            "resource": "/{proxy+}" if path != "/" else "/",
            "path": path,
            "httpMethod": self.command,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: values[-1] for name, values in asked.items()} or None,
            "multiValueQueryStringParameters": asked or None,
            "pathParameters": {"proxy": path.lstrip("/")} if path != "/" else None,
            "stageVariables": None,
            "requestContext": {
                "stage": names.API_STAGE,
                "requestId": str(uuid.uuid4()),
                "path": STAGE + path,
                "httpMethod": self.command,
                "protocol": "HTTP/1.1",
                "domainName": self.headers.get("host", ""),
                "identity": {"sourceIp": "127.0.0.1"},
            },
            "body": text or None,
            "isBase64Encoded": is_base64,
        }

    def _reply(self, reply: dict[str, Any]) -> None:
        body = reply["body"].encode()
        self.send_response(reply["statusCode"])
        for name, value in reply["headers"].items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        if reply["statusCode"] != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """No line for a request."""


def _own(kind: str) -> dict[str, Any]:
    """What API Gateway answers by itself."""
    (error,) = [error for error in ERRORS if error.kind == kind]
    body = error.body().replace("$context.requestId", str(uuid.uuid4()))
    retry = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    return {"statusCode": error.status, "headers": {**HEADERS, **retry}, "body": json.dumps(json.loads(body))}
