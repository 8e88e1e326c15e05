"""A lake that refuses to read a holdout, for all steps before *evaluate*."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from andamio.errors import TrainingError
from andamio.storage import layout
from andamio.storage.ports import ObjectInfo, Objects, Readable, StoredObject

HOLDOUT = layout.dataset_rows("", "holdout").removeprefix(layout.DATASETS)


class LakeWithoutHoldout:
    """A lake that refuses to read any holdout: whatever is fitted through it, a scaler too, was fitted on train."""

    def __init__(self, lake: Objects) -> None:
        self._lake = lake

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object; raises `TrainingError` for a holdout."""
        _refuse_holdout(key)
        return self._lake.get(key, version=version)

    def get_range(self, key: str, start: int, length: int, *, version: str | None = None) -> bytes:
        """Read a range of one object; raises `TrainingError` for a holdout."""
        _refuse_holdout(key)
        return self._lake.get_range(key, start, length, version=version)

    def stream(
        self, key: str, *, version: str | None = None, start: int = 0, length: int | None = None
    ) -> AbstractContextManager[Readable]:
        """Read one object as it comes; raises `TrainingError` for a holdout."""
        _refuse_holdout(key)
        return self._lake.stream(key, version=version, start=start, length=length)

    def head(self, key: str, *, version: str | None = None) -> ObjectInfo:
        """Look at one object."""
        return self._lake.head(key, version=version)

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object."""
        return self._lake.put(key, body, content_type=content_type, if_match=if_match)

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object unless the key is taken."""
        return self._lake.put_new(key, body, content_type=content_type)

    def put_new_file(self, key: str, file: Path, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object out of a file unless the key is taken."""
        return self._lake.put_new_file(key, file, content_type=content_type)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> ObjectInfo:
        """Write one object, a chunk after another."""
        return self._lake.put_stream(key, chunks, content_type=content_type)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """The objects under a prefix."""
        return self._lake.list(prefix, after=after)


def _refuse_holdout(key: str) -> None:
    if key.startswith(layout.DATASETS) and key.endswith(HOLDOUT):
        raise TrainingError(
            f"{key} was asked for before the evaluation: nothing may be chosen or fitted with rows that the model "
            "is judged on. Read train instead."
        )
