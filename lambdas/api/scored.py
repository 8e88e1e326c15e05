"""Where the files and the predictions of batches are, and what may be asked about them.

What answers is in `batches.py` and `predictions.py`, which are imported when they are first asked: a cold
start that predicts pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Request

from andamio.contract.canonical import canonical
from andamio.storage.ports import Clock, Objects, PredictionStore
from lambdas.api.problems import RequestError

MOST_LISTED = 100
LONGEST_RECORD_ID = 2048
"""Bytes of a caller's id, which the table's index takes no longer."""


class Bucket(Objects, Protocol):
    """A bucket that signs requests for those who have no credentials of their own."""

    def presigned_post(self, key: str, seconds: int, max_bytes: int) -> Mapping[str, Any]:
        """What a form needs to upload one object under this very key: {"url", "fields"}."""

    def presigned_get(self, key: str, seconds: int, name: str) -> str:
        """A link that downloads one object as a file of this name."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The batch bucket and the predictions table."""

    bucket: Bucket
    table: PredictionStore
    clock: Clock


def limit_of(request: Request) -> int:
    """How many were asked for (20 unless told); raises `RequestError` (422)."""
    said = request.query_params.get("limit", "20")
    limit = int(said) if said.isascii() and said.isdigit() and len(said) <= 3 else 0
    if not 1 <= limit <= MOST_LISTED:
        raise wrong_query("limit", f"a whole number from 1 to {MOST_LISTED}")
    return limit


def record_of(request: Request) -> str:
    """The caller's id of the record that was asked for, as ids are kept (7.0 is 7); raises `RequestError` (422)."""
    record = canonical(request.query_params.get("record_id", ""))
    if not 1 <= len(record.encode(errors="replace")) <= LONGEST_RECORD_ID:
        raise wrong_query("record_id", f"the caller's id of a record, of 1 to {LONGEST_RECORD_ID} bytes")
    return record


def wrong_query(field: str, expected: str) -> RequestError:
    """A query that says something else than expected (422)."""
    return RequestError(422, "invalid-request", "The query cannot be understood.", [(field, f"expected {expected}")])


def wrong_path(field: str, expected: str) -> RequestError:
    """A path that ends in what cannot be an id (422)."""
    return RequestError(422, "invalid-request", "The path cannot be understood.", [(field, f"expected {expected}")])
