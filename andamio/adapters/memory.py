"""Objects, predictions and events in memory: S3's, DynamoDB's and EventBridge's behaviour, for tests."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from andamio.errors import ObjectNotFound, PreconditionFailed
from andamio.storage.events import Event
from andamio.storage.ports import ObjectInfo, Readable, StoredObject


class MemoryObjects:
    """`Objects` in a dictionary; every write is a version, and time moves on by a second with each."""

    def __init__(self, bucket: str = "memory") -> None:
        self.bucket = bucket
        self.writes: list[str] = []
        self._versions: dict[str, list[tuple[ObjectInfo, bytes]]] = {}
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._lock = threading.Lock()

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object (default: the latest version); raises `ObjectNotFound`."""
        info, body = self._find(key, version)
        return StoredObject(body, info.etag, info.version)

    def get_range(self, key: str, start: int, length: int, *, version: str | None = None) -> bytes:
        """Bytes `start` to `start + length` of one object, fewer where it ends before; raises `ObjectNotFound`."""
        return self._find(key, version)[1][start : start + max(length, 0)]

    def stream(
        self, key: str, *, version: str | None = None, start: int = 0, length: int | None = None
    ) -> AbstractContextManager[Readable]:
        """The bytes of one object, or of a range of it, as they come; raises `ObjectNotFound`."""
        body = self._find(key, version)[1]
        return closing(io.BytesIO(body[start : len(body) if length is None else start + max(length, 0)]))

    def head(self, key: str, *, version: str | None = None) -> ObjectInfo:
        """Look at one object without reading it; raises `ObjectNotFound`."""
        return self._find(key, version)[0]

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object and return its ETag; with `if_match`, raises `PreconditionFailed` when it changed."""
        with self._lock:
            versions = self._versions.get(key, [])
            if if_match is not None and (not versions or versions[-1][0].etag != if_match):
                raise PreconditionFailed(f"{self.bucket}/{key}: it changed since it was read")
            return self._write(key, body).etag

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object if the key is free; returns whether it was written."""
        with self._lock:
            if key in self._versions:
                return False
            self._write(key, body)
            return True

    def put_new_file(self, key: str, file: Path, *, content_type: str = "application/octet-stream") -> bool:
        """Write a file as one object if the key is free; returns whether it was written."""
        return self.put_new(key, file.read_bytes(), content_type=content_type)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> ObjectInfo:
        """Write one object of any size, a chunk after another; it is there when all of them are, or not at all."""
        body = b"".join(chunks)
        with self._lock:
            return self._write(key, body)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """The latest version of every object under a prefix, by key, those after `after`."""
        with self._lock:
            found = [
                versions[-1][0] for key, versions in self._versions.items() if key.startswith(prefix) and key > after
            ]
        yield from sorted(found, key=lambda info: info.key)

    def delete(self, key: str) -> None:
        """Forget an object."""
        self._versions.pop(key, None)

    def _find(self, key: str, version: str | None) -> tuple[ObjectInfo, bytes]:
        for info, body in reversed(self._versions.get(key, [])):
            if version in (None, info.version):
                return info, body
        raise ObjectNotFound(f"{self.bucket}/{key}: there is no such object")

    def _write(self, key: str, body: bytes) -> ObjectInfo:
        versions = self._versions.setdefault(key, [])
        self._now += timedelta(seconds=1)
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        versions.append((ObjectInfo(key, f"v{len(versions) + 1}", etag, len(body), self._now), body))
        self.writes.append(key)
        return versions[-1][0]


class MemoryPredictionStore:
    """`Predictions` in a dictionary."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def put_all(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Write items over those of the same `prediction_id`."""
        with self._lock:
            self.items |= {str(item["prediction_id"]): dict(item) for item in items}

    def find(self, prediction_id: str) -> dict[str, Any] | None:
        """The item of an id."""
        found = self.items.get(prediction_id)
        return None if found is None else dict(found)

    def of_record(self, record_id: str, *, limit: int) -> list[dict[str, Any]]:
        """The newest items of a record, newest first."""
        found = [dict(item) for item in self.items.values() if item.get("record_id") == record_id]
        return sorted(found, key=lambda item: str(item["created"]), reverse=True)[:limit]


class MemoryEvents:
    """`Events` in a list; `failures` are raised first, one a call."""

    def __init__(self, *failures: Exception) -> None:
        self.sent: list[Event] = []
        self._failures = list(failures)

    def put(self, event: Event) -> None:
        """Keep one event, or raise the next failure."""
        if self._failures:
            raise self._failures.pop(0)
        self.sent.append(event)
