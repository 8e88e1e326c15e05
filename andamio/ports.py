"""What the core asks of the outside world. `andamio.adapters` answers with AWS, a folder or memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object as a listing shows it: its latest version. `size` in bytes, `modified` in UTC."""

    key: str
    version: str
    etag: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The bytes of one version of an object."""

    body: bytes
    etag: str
    version: str


class Objects(Protocol):
    """A bucket: keys, bytes, versions and conditional writes."""

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object (the latest version unless told); raises `ObjectNotFound`."""

    def head(self, key: str) -> ObjectInfo:
        """Look at one object without reading it; raises `ObjectNotFound`."""

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object and return its ETag; with `if_match`, raises `PreconditionFailed` when it changed."""

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object unless the key is taken; says whether it was written."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The latest version of every object under a prefix, by key; deleted ones are left out."""


class Clock(Protocol):
    """The time of day, in UTC."""

    def now(self) -> datetime:
        """This moment, with its time zone."""
