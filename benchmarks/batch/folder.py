"""A bucket in a folder: each object is a file, so that contestants read and write the same disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from andamio.errors import ObjectNotFound, PreconditionFailed
from andamio.release.pointer import read_pointer
from andamio.storage.ports import ObjectInfo, Readable, StoredObject

PROBLEM = Path(__file__).parent
VERSION = "1"


class FolderObjects:
    """`Objects` over files; an object has one version, and its ETag is its size and time of writing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object; raises `ObjectNotFound`."""
        info = self.head(key)
        return StoredObject((self.root / key).read_bytes(), info.etag, VERSION)

    def get_range(self, key: str, start: int, length: int, *, version: str | None = None) -> bytes:
        """Bytes of one object; raises `ObjectNotFound`."""
        with self.stream(key, start=start, length=length) as body:
            return body.read()

    @contextmanager
    def stream(
        self, key: str, *, version: str | None = None, start: int = 0, length: int | None = None
    ) -> Iterator[Readable]:
        """The bytes of one object, or of a range of it; raises `ObjectNotFound`."""
        try:
            file = (self.root / key).open("rb")
        except FileNotFoundError:
            raise _absent(key) from None
        with file:
            file.seek(start)
            yield file if length is None else _Range(file, length)

    def head(self, key: str, *, version: str | None = None) -> ObjectInfo:
        """Look at one object; raises `ObjectNotFound`."""
        try:
            found = (self.root / key).stat()
        except FileNotFoundError:
            raise _absent(key) from None
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        return ObjectInfo(key, VERSION, f'"{found.st_size:x}-{found.st_mtime_ns:x}"', found.st_size, modified)

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object and return its ETag; with `if_match`, raises `PreconditionFailed` when it changed."""
        if if_match is not None and (not (self.root / key).exists() or self.head(key).etag != if_match):
            raise PreconditionFailed(f"{key}: it changed since it was read")
        return self.put_stream(key, [body]).etag

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object if the key is free; returns whether it was written."""
        with self._temporary(key) as path:
            path.write_bytes(body)
            return self._claim(path, key)

    def put_new_file(self, key: str, file: Path, *, content_type: str = "application/octet-stream") -> bool:
        """Write a file as one object if the key is free; returns whether it was written."""
        with self._temporary(key) as path:
            shutil.copyfile(file, path)
            return self._claim(path, key)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> ObjectInfo:
        """Write one object, a chunk after another; it is there when all of them are, or not at all."""
        with self._temporary(key) as path:
            with path.open("wb") as out:
                out.writelines(chunks)
            path.replace(self.root / key)
        return self.head(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Every object under a prefix, by key, those after `after`."""
        folder = self.root / prefix.rpartition("/")[0]
        keys = (path.relative_to(self.root).as_posix() for path in folder.rglob("*") if path.is_file())
        for key in sorted(key for key in keys if key.startswith(prefix) and key > after):
            yield self.head(key)

    @contextmanager
    def _temporary(self, key: str) -> Iterator[Path]:
        (self.root / key).parent.mkdir(parents=True, exist_ok=True)
        aside = self.root.parent / f".{self.root.name}.writing"
        aside.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=aside)
        os.close(handle)
        path = Path(name)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _claim(self, path: Path, key: str) -> bool:
        try:
            (self.root / key).hardlink_to(path)
        except FileExistsError:
            return False
        return True


class _Range:
    """The next `left` bytes of a file."""

    def __init__(self, file: Readable, left: int) -> None:
        self._file = file
        self._left = left

    def read(self, size: int = -1, /) -> bytes:
        body = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(body)
        return body


def _absent(key: str) -> ObjectNotFound:
    return ObjectNotFound(f"{key}: there is no such object")


class NoTable:
    """A predictions table that nothing is written to, as the benchmark's contract asks."""

    def put_all(self, items: object) -> None:
        """Refuse."""
        raise AssertionError("a benchmark's batch is not stored in the table")

    def find(self, prediction_id: str) -> None:
        """Nothing is there."""

    def of_record(self, record_id: str, *, limit: int) -> list[dict[str, object]]:
        """Nothing is there."""
        return []


def champion(folder: Path) -> str:
    """The version of the release that is served out of a folder."""
    pointer, _ = read_pointer(FolderObjects(folder / "models"), "bench")
    assert pointer.champion is not None
    return pointer.champion.release
