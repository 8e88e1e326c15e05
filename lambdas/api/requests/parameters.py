"""The parameters of paths and queries. A validator says what it expected, and does not repeat the value."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator

from andamio.contract.canonical import canonical
from lambdas.api.replies.problems import RequestError
from lambdas.api.requests.records import nearest

MOST_LISTED = 100
LONGEST_RECORD_ID = 2048
"""Most bytes of a caller's id: the limit of the table's index."""
NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
"""The pattern of a text that is not blank: what Python takes for a space, and other languages do not, counts too."""


def _whole_number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0
    if not 1 <= number <= MOST_LISTED:
        raise ValueError(f"expected a whole number from 1 to {MOST_LISTED}")
    return number


def _record_id(text: str) -> str:
    """The caller's id in canonical form: 7.0 is 7."""
    record = canonical(text)
    if not 1 <= len(record.encode(errors="replace")) <= LONGEST_RECORD_ID:
        raise ValueError(f"expected the caller's id of a record, of 1 to {LONGEST_RECORD_ID} bytes")
    return record


Limit = Annotated[
    int,
    BeforeValidator(_whole_number),
    # `ge` and `le` would be written into the schema as they are: a validator of our own comes before them.
    Query(description="How many to list, at most", json_schema_extra={"minimum": 1, "maximum": MOST_LISTED}),
]
RecordIdQuery = Annotated[
    str,
    BeforeValidator(_record_id),
    Query(
        min_length=1,
        max_length=LONGEST_RECORD_ID,
        description="The caller's own id of the record",
        json_schema_extra={"pattern": NOT_BLANK},
    ),
]


async def check_query(request: Request) -> None:
    """Refuse a parameter that the route does not have, or that stands twice; raises `RequestError` (422).

    FastAPI passes over the one, and takes the last of the other.
    """
    known = [str(one.alias) for one in request.scope["route"].dependant.query_params]
    names = [name for name, _ in request.query_params.multi_items()]
    errors = [(name, "unknown parameter" + nearest(name, known)) for name in dict.fromkeys(names) if name not in known]
    errors += [(name, "expected once") for name in known if names.count(name) > 1]
    if errors:
        raise RequestError("invalid-request", "The query cannot be understood.", *errors[:10])


QUERY = [Depends(check_query)]
"""The dependency of a route with parameters in its query."""


def wrong_path(field: str, expected: str) -> RequestError:
    """A path that ends in what cannot be an id (422)."""
    return RequestError("invalid-request", "The path cannot be understood.", (field, f"expected {expected}"))
