"""Problem details (RFC 9457): what a client is told when a request cannot be answered.

A body has `type` (a stable URN), `title` (the same for every problem of a type), `status`, `detail`,
and `errors`, one entry for each thing that is wrong: `index` (which record of several), `field`,
`reason`. Values that were sent are never repeated, and of names that were sent only what is a plain
name: a client reads its own mistake, a log or a page that shows the problem is handed nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from andamio.errors import AndamioError, InvalidRecord, NotReady, Violation

MEDIA_TYPE = "application/problem+json"
URN = "urn:andamio:problem:"
SHOWN = 100
"""How many errors one problem lists; `detail` says how many there are."""

TITLES = {
    "malformed-body": "The body cannot be read",
    "invalid-request": "The request does not have the expected shape",
    "invalid-record": "A record breaks the contract",
    "body-too-large": "The body is too large",
    "unsupported-media-type": "The content type is not supported",
    "no-explanations": "Explanations are turned off",
    "no-reference": "This release cannot explain",
    "not-found": "There is nothing under this path",
    "method-not-allowed": "The path does not take this method",
    "bad-event": "The function was not called by API Gateway",
    "not-ready": "No model is served yet",
    "release": "The release cannot be used",
    "settings": "The service is not configured",
    "internal": "Something went wrong on our side",
}

_PLAIN_NAME = re.compile(r"^[A-Za-z0-9_](?:[A-Za-z0-9_ .-]{0,62}[A-Za-z0-9_])?$")
_RETRY_AFTER = {"not-ready": "10", "release": "60"}
_LOGGED = "What happened is in the log of this function."


class RequestError(AndamioError):
    """A request that cannot be read, or has the wrong shape: nothing that a record could be checked in."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.errors = tuple({"field": shown(field), "reason": reason} for field, reason in errors)


def shown(name: str) -> str:
    """A field's name as it may be repeated: one that is not a plain name of at most 64 characters is not."""
    return name if _PLAIN_NAME.match(name) else "(not a plain name)"


def details(error: AndamioError, *, single: bool, known: Mapping[str, object], request_id: str = "") -> dict[str, Any]:
    """The body for an error; `single` leaves the index out, `known` names need no cleaning."""
    if isinstance(error, InvalidRecord):
        return _invalid_record(error, single, known)
    if isinstance(error, RequestError):
        body = problem(error.code, error.status, str(error))
        if error.errors:
            body["errors"] = list(error.errors)
        return body
    if isinstance(error, NotReady):
        return problem(error.code, error.status, str(error))
    if error.code in TITLES:
        return problem(error.code, error.status if error.code != "settings" else 503, _LOGGED)
    return internal(request_id)


def problem(code: str, status: int, detail: str) -> dict[str, Any]:
    """A body without `errors`."""
    return {"type": URN + code, "title": TITLES[code], "status": status, "detail": detail}


def internal(request_id: str = "") -> dict[str, Any]:
    """The body for whatever was not foreseen: it names the request, the log says the rest."""
    body = problem("internal", 500, _LOGGED)
    if request_id:
        body["instance"] = f"urn:andamio:request:{request_id}"
    return body


def headers(body: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """The headers that a problem brings along: when to try again."""
    wait = _RETRY_AFTER.get(str(body["type"]).removeprefix(URN))
    return [(b"retry-after", wait.encode())] if wait else []


def _invalid_record(error: InvalidRecord, single: bool, known: Mapping[str, object]) -> dict[str, Any]:
    count = len(error.violations)
    detail = f"{count} thing{' is' if count == 1 else 's are'} wrong"
    if not single:
        records = len({item.row for item in error.violations})
        detail += f" in {records} record{'' if records == 1 else 's'}; nothing was predicted"
    if count > SHOWN:
        detail += f"; the first {SHOWN} are listed"
    body = problem(error.code, error.status, detail + ". GET schema says what a record looks like.")
    body["errors"] = [_entry(item, single, known) for item in error.violations[:SHOWN]]
    return body


def _entry(item: Violation, single: bool, known: Mapping[str, object]) -> dict[str, Any]:
    field = item.field if item.field in known else shown(item.field) if item.field else "features"
    entry: dict[str, Any] = {} if single else {"index": item.row}
    return {**entry, "field": field, "reason": item.reason}
