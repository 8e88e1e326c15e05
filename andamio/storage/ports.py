"""The ports: Protocols of the storage that the core needs. `andamio.adapters` implements them on AWS and in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from andamio.storage.events import Event


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


class Readable(Protocol):
    """Bytes that are read as they come."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all that are left when it is negative; b"" at the end."""


class Objects(Protocol):
    """A bucket: keys, bytes, versions and conditional writes."""

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object (default: the latest version); raises `ObjectNotFound`."""

    def get_range(self, key: str, start: int, length: int, *, version: str | None = None) -> bytes:
        """Bytes `start` to `start + length` of one object, fewer where it ends before; raises `ObjectNotFound`."""

    def stream(
        self, key: str, *, version: str | None = None, start: int = 0, length: int | None = None
    ) -> AbstractContextManager[Readable]:
        """The bytes of one object, or of a range of it, as they come; raises `ObjectNotFound`."""

    def head(self, key: str, *, version: str | None = None) -> ObjectInfo:
        """Look at one object without reading it; raises `ObjectNotFound`."""

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object and return its ETag; with `if_match`, raises `PreconditionFailed` when it changed."""

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object if the key is free; returns whether it was written."""

    def put_new_file(self, key: str, file: Path, *, content_type: str = "application/octet-stream") -> bool:
        """Write a file as one object if the key is free; returns whether it was written."""

    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> ObjectInfo:
        """Write one object of any size, a chunk after another; it is there when all of them are, or not at all."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """The latest version of every object under a prefix, by key, those after `after`; deleted ones are left out."""


class Clock(Protocol):
    """The time of day, in UTC."""

    def now(self) -> datetime:
        """This moment, with its time zone."""


class Events(Protocol):
    """Where a system tells of itself."""

    def put(self, event: Event) -> None:
        """Send one event; raises `AccessRefused` where it is not allowed, `EventNotSent` where it was not taken."""


class PredictionStore(Protocol):
    """The predictions table: items by `prediction_id`, listed by `record_id`."""

    def put_all(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Write items, in batches, over those of the same `prediction_id`; retried while the table is busy."""

    def find(self, prediction_id: str) -> dict[str, Any] | None:
        """The item of an id."""

    def of_record(self, record_id: str, *, limit: int) -> list[dict[str, Any]]:
        """The newest items of a record, newest first (by `created`, ISO 8601)."""
