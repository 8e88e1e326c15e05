"""Captured predictions in files: written a batch after another, read a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from andamio.captures.columns import COMPRESSION
from andamio.captures.sampling import chance
from andamio.storage.ports import Objects

_PIECE = 8 * 2**20
_BATCH_ROWS = 65_536


class RowsFile:
    """A local Parquet file of captured predictions that is being written; `rows` are in it."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema, self.rows = path, schema, 0
        # Of ids and times hardly two are alike: a dictionary would be built for nothing.
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression=COMPRESSION,
            use_dictionary=[
                f.name for f in schema if pa.types.is_string(f.type) and f.name not in ("prediction_id", "record_id")
            ],
        )

    def add(self, batch: pa.RecordBatch) -> None:
        """Write a batch, as a row group."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def put(objects: Objects, key: str, path: Path) -> None:
    """Write a local file as an object, over an earlier one."""
    objects.put_stream(key, _pieces(path), content_type="application/vnd.apache.parquet")


def read(objects: Objects, key: str, folder: Path) -> Iterator[pa.RecordBatch]:
    """The rows of an object, some at a time, by way of a local file; raises `ObjectNotFound`."""
    path = folder / "rows.parquet"
    with objects.stream(key) as source, path.open("wb") as file:
        while piece := source.read(_PIECE):
            file.write(piece)
    try:
        yield from rows_of(path)
    finally:
        path.unlink()


def rows_of(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a local file, some at a time."""
    with pq.ParquetFile(path) as parquet:
        yield from parquet.iter_batches(_BATCH_ROWS)


def drawn(batch: pa.RecordBatch, purpose: str, limit: int) -> pa.RecordBatch:
    """The predictions whose number for a purpose (`andamio.captures.sampling`) is below a limit."""
    ids = batch.column("prediction_id").to_pylist()
    return batch.filter(pa.array([chance(one, purpose) < limit for one in ids], pa.bool_()))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
