"""The Lambda Runtime API on a free port of the loopback interface, for one process.

A process asks for its `next` call, which is held until there is one, and posts what came of it. Each process has a
server of its own, so that a request of a process that has ended never takes a call that was meant for its successor.
See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .call import PAYLOAD_BYTES, Call, Reply, too_large

HOST = "127.0.0.1"
PREFIX = "/2018-06-01/runtime/"


class RuntimeApi:
    """One process's side of the Runtime API; everything that waits here is woken by `close`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._call: Call | None = None
        self._deadline_ms = 0
        self._taken = False
        self._reply: Reply | None = None
        self._init_error: bytes | None = None
        self._asks = 0
        self._closed = False
        self._server = _Server((HOST, 0), self)
        threading.Thread(target=self._server.serve_forever, name=f"runtime-api-{self.address}", daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port, as `AWS_LAMBDA_RUNTIME_API` wants them."""
        return f"{HOST}:{self._server.server_address[1]}"

    @property
    def init_error(self) -> bytes | None:
        """The error document of a process that could not start, as JSON."""
        return self._init_error

    @property
    def closed(self) -> bool:
        """Whether the process has ended."""
        return self._closed

    @property
    def taken(self) -> bool:
        """Whether the process has taken the call that it was handed last."""
        return self._taken

    def wait_idle(self, deadline: float) -> bool:
        """Wait until the process asks for a call; False when it has ended, or has not asked by `deadline`."""
        return self._wait(lambda: self._asks > 0 and self._call is None, deadline)

    def hand(self, call: Call, seconds: float) -> None:
        """Give the process its next call, which may take so many seconds."""
        with self._changed:
            self._call, self._taken, self._reply = call, False, None
            self._deadline_ms = int((time.time() + seconds) * 1000)
            self._changed.notify_all()

    def wait_reply(self, deadline: float) -> Reply | None:
        """Wait for the reply, and until the process asks for its next call or ends, so that its log is whole.

        None when there is no reply: the process has ended, or `deadline` has passed.
        """
        if self._wait(lambda: self._reply is not None, deadline):
            self._wait(lambda: self._asks > 0, deadline)
        with self._changed:
            reply, self._call = self._reply, None
            return reply

    def close(self) -> None:
        """Release everything that waits, and stop listening; called when the process has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def _wait(self, condition: Callable[[], bool], deadline: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or condition(), max(0.0, deadline - time.monotonic()))
            return condition()

    # What follows is called by the server's threads, one a connection.

    def take(self, hung_up: Callable[[], bool]) -> tuple[Call, int] | None:
        """The next call and its deadline in milliseconds since the epoch, once there is one; None at the end.

        `hung_up` says whether nobody is there any more to take it.
        """
        with self._changed:
            self._asks += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or (self._call is not None and not self._taken))
            self._asks -= 1
            if self._closed or self._call is None or hung_up():
                return None
            self._taken = True
            return self._call, self._deadline_ms

    def answer(self, request_id: str, reply: Reply) -> HTTPStatus:
        """Note the reply to the call that runs; only its first one counts."""
        with self._changed:
            if self._call is None or self._call.request_id != request_id or self._reply is not None:
                return HTTPStatus.BAD_REQUEST
            refused = not reply.is_error and len(reply.payload) > PAYLOAD_BYTES
            self._reply = too_large(len(reply.payload)) if refused else reply
            self._changed.notify_all()
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if refused else HTTPStatus.ACCEPTED

    def fail_init(self, document: bytes) -> HTTPStatus:
        """Note why the process could not start."""
        self._init_error = document
        return HTTPStatus.ACCEPTED


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], api: RuntimeApi) -> None:
        self.api = api
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is that of a process that was killed: its end is reported elsewhere."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        match self._path():
            case ["invocation", "next"]:
                self._next()
            case ["restore", "next"]:
                self._reply(HTTPStatus.OK)
            case _:
                self._reply(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        api = self.server.api
        match self._path():
            case ["invocation", request_id, "response"]:
                self._reply(api.answer(request_id, Reply(body)))
            case ["invocation", request_id, "error"]:
                self._reply(api.answer(request_id, Reply(body, is_error=True)))
            case ["init" | "restore", "error"]:
                self._reply(api.fail_init(body))
            case _:
                self._reply(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: LocalStack's log has a line for each call already."""

    def _path(self) -> list[str]:
        return self.path.removeprefix(PREFIX).split("/") if self.path.startswith(PREFIX) else []

    def _next(self) -> None:
        taken = self.server.api.take(self._hung_up)
        if taken is None:
            self.close_connection = True
            return
        call, deadline_ms = taken
        self._reply(
            HTTPStatus.OK,
            call.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": call.request_id,
                "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": call.function_arn,
                "Lambda-Runtime-Trace-Id": call.trace_id,
            },
        )

    def _hung_up(self) -> bool:
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _reply(self, status: HTTPStatus, body: bytes = b"{}", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
