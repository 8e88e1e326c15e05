"""Log lines: one JSON object each, written straight to standard output.

Not through `logging`: a prediction's line is data, not subject to a log level, and five times cheaper
this way. Standard output is looked up at each call, because runtimes put their own in its place.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from fastapi import Request

from andamio.errors import AndamioError
from andamio.names import EVENT_ERROR, EVENT_REQUEST

_PATH_SHOWN = 200
WITHHELD = "(withheld: it may repeat a value of the request)"

_encode = json.JSONEncoder(separators=(",", ":")).encode


def write(lines: Iterable[Mapping[str, object]]) -> None:
    """Write lines, all of them in one go."""
    out = sys.stdout
    out.write("".join([_encode(line) + "\n" for line in lines]))
    out.flush()


def now() -> str:
    """This moment as lines have it: ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def event(name: str, **fields: object) -> None:
    """Write one line about something that happened."""
    write(({"event": name, **fields},))


def error(error: BaseException, *, quoted: bool = False, **fields: object) -> None:
    """Write one line about an unexpected error, with its traceback.

    A message is withheld that may repeat a value of the request, of which any may be private: all but those of our own
    errors, of AWS, and of files and imports. `quoted` says that no request was being read.
    """
    trace = "".join(_trace(error, quoted))
    event(EVENT_ERROR, error=type(error).__name__, message=_message(error, quoted), **fields, traceback=trace)


def _message(error: BaseException, quoted: bool) -> str:
    harmless = isinstance(error, AndamioError | ImportError | OSError) or type(error).__module__.startswith("botocore")
    return str(error) if quoted or harmless else WITHHELD


def _trace(error: BaseException, quoted: bool) -> Iterator[str]:
    """The lines of a traceback, the first cause first, without the text of the errors that `_message` withholds."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _trace(earlier, quoted)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__name__}: {_message(error, quoted)}\n"


def request(request: Request, status: int, problem: str | None = None) -> None:
    """Write one line about a request that made no prediction: those have lines of their own."""
    scope = request.scope
    method, path = scope.get("requested_method", scope["method"]), scope["path"][:_PATH_SHOWN]
    event(EVENT_REQUEST, method=method, path=path, status=status, problem=problem)
