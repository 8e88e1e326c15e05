"""What may stand in a path or a query. Each validator says what it expected, and repeats nothing."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

from andamio.contract.canonical import canonical
from lambdas.api.replies.problems import RequestError

MOST_LISTED = 100
LONGEST_RECORD_ID = 2048
"""Bytes of a caller's id, which the table's index takes no longer."""


def _whole_number(said: str) -> int:
    number = int(said) if said.isascii() and said.isdigit() and len(said) <= 3 else 0
    if not 1 <= number <= MOST_LISTED:
        raise ValueError(f"expected a whole number from 1 to {MOST_LISTED}")
    return number


def _record_id(said: str) -> str:
    """The caller's id as ids are kept: 7.0 is 7."""
    record = canonical(said)
    if not 1 <= len(record.encode(errors="replace")) <= LONGEST_RECORD_ID:
        raise ValueError(f"expected the caller's id of a record, of 1 to {LONGEST_RECORD_ID} bytes")
    return record


Limit = Annotated[
    int, BeforeValidator(_whole_number), Query(ge=1, le=MOST_LISTED, description="How many to list, at most")
]
RecordIdQuery = Annotated[
    str,
    BeforeValidator(_record_id),
    Query(min_length=1, max_length=LONGEST_RECORD_ID, description="The caller's own id of the record"),
]


def wrong_path(field: str, expected: str) -> RequestError:
    """A path that ends in what cannot be an id (422)."""
    return RequestError("invalid-request", "The path cannot be understood.", (field, f"expected {expected}"))
