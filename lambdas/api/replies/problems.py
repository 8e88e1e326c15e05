"""Problem details (RFC 9457): the body of an error reply.

A body has `type` (a stable URN), `title` (the same for every problem of a type), `status`, `detail`,
and `errors`, one entry for each thing that is wrong: `index` (which record of several), `field`,
`reason`. `andamio.errors.PROBLEM_TYPES` lists the types. Values that were sent are never repeated, and of
names that were sent only plain ones: a client reads its own mistake, a log or a page that shows the
problem is handed nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from andamio.errors import PROBLEM_TYPES, URN, AndamioError, InvalidRecord, NotReady, Violation

MEDIA_TYPE = "application/problem+json"
MOST_LISTED = 100
"""How many errors one problem lists; `detail` says how many there are."""

_PLAIN_NAME = re.compile(r"^[A-Za-z0-9_](?:[A-Za-z0-9_ .-]{0,62}[A-Za-z0-9_])?$")
_NOT_PLAIN = "(not a plain name)"
_LOGGED = "What happened is in the log of this function."


class RequestError(AndamioError):
    """A request that is answered with a problem of this code; `errors` are pairs of field and reason.

    What is wrong with entries of a list is told as `violations`, the first of them; `single` leaves the index out.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *errors: tuple[str, str],
        violations: Sequence[Violation] = (),
        single: bool = False,
    ) -> None:
        more = f" The first {MOST_LISTED} are listed." if len(violations) > MOST_LISTED else ""
        super().__init__(detail + more)
        self.code = code
        self.status = PROBLEM_TYPES[code].status
        listed = violations[:MOST_LISTED]
        names = _plain_names([*(field for field, _ in errors), *(item.field for item in listed)])
        self.errors: tuple[dict[str, Any], ...] = (
            *({"field": names[field], "reason": reason} for field, reason in errors),
            *(_entry(item, single, names) for item in listed),
        )


def plain_name(name: str) -> str:
    """A field's name for a reply: a placeholder where it is not a plain name of at most 64 characters."""
    return name if _PLAIN_NAME.match(name) else _NOT_PLAIN


def _plain_names(names: Iterable[str]) -> dict[str, str]:
    """Each name for a reply; placeholders are numbered, so that clients can tell them apart."""
    plain: dict[str, str] = {}
    odd = 0
    for name in names:
        if name not in plain:
            plain[name] = plain_name(name)
            if plain[name] == _NOT_PLAIN:
                odd += 1
                plain[name] = _NOT_PLAIN if odd == 1 else f"(not a plain name, {odd})"
    return plain


def details(error: Exception, *, single: bool, known: Mapping[str, object], request_id: str = "") -> dict[str, Any]:
    """The body for an error; `single` leaves the index out, `known` names need no cleaning."""
    if isinstance(error, InvalidRecord):
        return _invalid_record(error, single, known)
    if isinstance(error, RequestError):
        body = problem(error.code, str(error))
        if error.errors:
            body["errors"] = list(error.errors)
        return body
    if isinstance(error, NotReady):
        return problem(error.code, str(error))
    if isinstance(error, AndamioError) and error.code in PROBLEM_TYPES:
        return problem(error.code, _LOGGED)
    return internal(request_id)


def problem(code: str, detail: str) -> dict[str, Any]:
    """A body without `errors`."""
    kind = PROBLEM_TYPES[code]
    return {"type": kind.urn, "title": kind.title, "status": kind.status, "detail": detail}


def internal(request_id: str = "") -> dict[str, Any]:
    """The body for an unexpected failure: it names the request, under which the log has the rest."""
    body = problem("internal", _LOGGED)
    if request_id:
        body["instance"] = f"urn:andamio:request:{request_id}"
    return body


def headers(body: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """The headers of a problem: when to try again."""
    wait = PROBLEM_TYPES[str(body["type"]).removeprefix(URN)].retry_after
    return [(b"retry-after", str(wait).encode())] if wait else []


def _invalid_record(error: InvalidRecord, single: bool, known: Mapping[str, object]) -> dict[str, Any]:
    count = len(error.violations)
    detail = f"{count} thing{' is' if count == 1 else 's are'} wrong"
    if not single:
        records = len({item.row for item in error.violations})
        detail += f" in {records} record{'' if records == 1 else 's'}; nothing was predicted"
    if count > MOST_LISTED:
        detail += f"; the first {MOST_LISTED} are listed"
    body = problem(error.code, detail + ". GET schema says what a record looks like.")
    listed = error.violations[:MOST_LISTED]
    names = _plain_names(item.field for item in listed if item.field not in known) | {"": "features"}
    body["errors"] = [_entry(item, single, names) for item in listed]
    return body


def _entry(item: Violation, single: bool, names: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {} if single else {"index": item.row}
    return {**entry, "field": names.get(item.field, item.field), "code": item.code, "reason": item.reason}
