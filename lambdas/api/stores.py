"""Where the files and the predictions of batches are, and where labels go.

What reads and writes them is in `batches.py`, `predictions/lookup.py` and `feedback.py`, which are imported at the
first request for one: a cold start that predicts pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from andamio.storage.ports import Clock, Objects, PredictionStore


class Bucket(Objects, Protocol):
    """A bucket that signs requests for those who have no credentials of their own."""

    def presigned_post(self, key: str, seconds: int, max_bytes: int) -> Mapping[str, Any]:
        """What a form needs to upload one object under this very key: {"url", "fields"}."""

    def presigned_get(self, key: str, seconds: int, name: str) -> str:
        """A link that downloads one object as a file of this name."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The batch bucket, the predictions table, and the lake, which keeps labels."""

    bucket: Bucket
    table: PredictionStore
    clock: Clock
    lake: Objects
