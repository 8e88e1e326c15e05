"""Objects in memory: S3's behaviour without S3, for tests."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from andamio.errors import ObjectNotFound, PreconditionFailed
from andamio.ports import ObjectInfo, StoredObject


class MemoryObjects:
    """`Objects` in a dictionary; every write is a version, and time moves on by a second with each."""

    def __init__(self, bucket: str = "memory") -> None:
        self.bucket = bucket
        self.writes: list[str] = []
        self._versions: dict[str, list[tuple[ObjectInfo, bytes]]] = {}
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._lock = threading.Lock()

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object (the latest version unless told); raises `ObjectNotFound`."""
        for info, body in reversed(self._versions.get(key, [])):
            if version in (None, info.version):
                return StoredObject(body, info.etag, info.version)
        raise ObjectNotFound(f"{self.bucket}/{key}: there is no such object")

    def head(self, key: str) -> ObjectInfo:
        """Look at one object without reading it; raises `ObjectNotFound`."""
        if key not in self._versions:
            raise ObjectNotFound(f"{self.bucket}/{key}: there is no such object")
        return self._versions[key][-1][0]

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object and return its ETag; with `if_match`, raises `PreconditionFailed` when it changed."""
        with self._lock:
            held = self._versions.get(key, [])
            if if_match is not None and (not held or held[-1][0].etag != if_match):
                raise PreconditionFailed(f"{self.bucket}/{key}: it changed since it was read")
            return self._write(key, body)

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object unless the key is taken; says whether it was written."""
        with self._lock:
            if key in self._versions:
                return False
            self._write(key, body)
            return True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The latest version of every object under a prefix, by key."""
        for key in sorted(self._versions):
            if key.startswith(prefix):
                yield self._versions[key][-1][0]

    def _write(self, key: str, body: bytes) -> str:
        held = self._versions.setdefault(key, [])
        self._now += timedelta(seconds=1)
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        held.append((ObjectInfo(key, f"v{len(held) + 1}", etag, len(body), self._now), body))
        self.writes.append(key)
        return etag

    def delete(self, key: str) -> None:
        """Forget an object."""
        self._versions.pop(key, None)
