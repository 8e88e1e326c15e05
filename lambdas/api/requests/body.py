"""A request's body: its size, its content type, and strict JSON.

Stricter than `json.loads`: `NaN` and `Infinity` are not JSON, a key that stands twice in one object is
refused (which of the two was meant?), and so is text that is not Unicode. Numbers too large for a
float pass as infinities: the contract names the field that they stand in. One with more digits than a float holds
keeps them all: it may be an id or a category.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from fastapi import Request

from andamio.contract.canonical import number_in_json
from lambdas.api.replies.problems import RequestError, plain_name

LIMIT = 4 * 1024 * 1024
"""Bytes of a body. Lambda takes 6 MB with all around it, in base64: 4.5 MB at most, so 4 is what is promised."""

JSON = "application/json"
CSV = "text/csv"

_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def media_type(request: Request, accepted: Sequence[str]) -> str:
    """The body's media type, the first accepted one when there is none; raises `RequestError` (415).

    No body may be compressed: API Gateway makes text of all bodies, which gzip does not survive.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise RequestError(
            "unsupported-media-type", "Expected no content-encoding: send the body as it is, not compressed."
        )
    header = request.headers.get("content-type", "").strip()
    if not header or header == JSON:
        return accepted[0]
    kind, _, parameters = header.lower().partition(";")
    kind = kind.strip()
    if kind.startswith("application/") and kind.endswith("+json"):
        kind = JSON
    if kind not in accepted:
        raise RequestError("unsupported-media-type", f"Expected content-type: {' or '.join(accepted)}.")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in _CHARSETS:
            raise RequestError("unsupported-media-type", "Expected the body in UTF-8.")
    return kind


async def read_text(request: Request) -> str:
    """The body as text; raises `RequestError` when it is too large, empty or not UTF-8."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 20 and int(length) > LIMIT:
        raise _too_large()
    body = await request.body()
    if len(body) > LIMIT:
        raise _too_large()
    if not body:
        raise malformed("The body is empty.")
    try:
        return body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise malformed(f"Expected UTF-8: the byte at offset {error.start} is not.") from None


def parse_json(text: str, *, nan_is_null: bool = False) -> object:
    """Strict JSON; raises `RequestError` (400) with position and reason, and without the value.

    `nan_is_null` reads NaN as null: what clients of MLflow write where there is no value.
    """
    try:
        value: object = (_lenient if nan_is_null else _strict).decode(text)
        if _HALF_CHARACTER.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise malformed(f"Expected JSON: at {where}, {_because(error.msg)}.") from None
    except UnicodeEncodeError:
        raise malformed("Expected JSON: a string holds one half of a surrogate pair, which is no character.") from None
    except RecursionError:
        raise malformed("Expected JSON: lists and objects are nested too deeply.") from None
    except ValueError:  # Python's own limit on the digits of an integer
        raise malformed("Expected JSON: a number has too many digits.") from None
    return value


def malformed(detail: str) -> RequestError:
    """A body that cannot be read at all (400)."""
    return RequestError("malformed-body", detail)


def _too_large() -> RequestError:
    return RequestError(
        "body-too-large", f"Expected at most {LIMIT} bytes (4 MB). Send fewer records at a time, or a batch file."
    )


def _because(message: str) -> str:
    return message[:1].lower() + message[1:].split(":")[0].rstrip()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise malformed(f"Expected each key once in an object: '{plain_name(twice)}' stands twice.")
    return value


def _constant(name: str) -> object:
    raise malformed(f"{name} is not JSON. Send null where there is no value.")


_strict = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=number_in_json)
_lenient = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=lambda name: None if name == "NaN" else _constant(name),
    parse_float=number_in_json,
)
