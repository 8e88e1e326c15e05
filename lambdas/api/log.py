"""Log lines: one JSON object each, written straight to standard output.

Not through `logging`: a prediction's line is data, not subject to a log level, and five times cheaper
this way. Standard output is looked up at each call, because runtimes put their own in its place.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Mapping

from fastapi import Request

from andamio.names import EVENT_ERROR, EVENT_REQUEST

_PATH_SHOWN = 200

_encode = json.JSONEncoder(separators=(",", ":")).encode


def write(lines: Iterable[Mapping[str, object]]) -> None:
    """Write lines, all of them in one go."""
    out = sys.stdout
    out.write("".join([_encode(line) + "\n" for line in lines]))
    out.flush()


def event(name: str, **fields: object) -> None:
    """Write one line about something that happened."""
    write(({"event": name, **fields},))


def error(error: BaseException, **fields: object) -> None:
    """Write one line about an unexpected error, with its traceback."""
    trace = "".join(traceback.format_exception(error))
    event(EVENT_ERROR, error=type(error).__name__, message=str(error), **fields, traceback=trace)


def request(request: Request, status: int, problem: str | None = None) -> None:
    """Write one line about a request that made no prediction: those have lines of their own."""
    scope = request.scope
    method, path = scope.get("requested_method", scope["method"]), scope["path"][:_PATH_SHOWN]
    event(EVENT_REQUEST, method=method, path=path, status=status, problem=problem)
