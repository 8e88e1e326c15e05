"""Parquet, read by pyarrow: typed cells, a part of a row group at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from andamio.tabular.arrow import held_type, values
from andamio.tabular.rows import CHUNK, Chunk, ReadAs, RefusedFile
from andamio.tabular.sniff import doubled

MAGIC = b"PAR1"


def read_parquet(body: bytes, read_as: ReadAs, wanted: Collection[str]) -> Iterator[Chunk]:
    """Read the wanted columns; raises `RefusedFile` when the file cannot be read, or names one of them twice."""
    if not _whole(body):
        raise RefusedFile("is not a whole Parquet file: it may have been cut off; upload it again")
    try:
        file = pq.ParquetFile(pa.BufferReader(body))
        read_as.names = list(file.schema_arrow.names)
        if twice := doubled(read_as.names, wanted):
            raise RefusedFile(f"has more than one column '{twice[0]}': keep one of them")
        kept = [name for name in read_as.names if name in wanted]
        if not kept:
            return
        place = 0
        for batch in file.iter_batches(CHUNK, columns=kept, use_threads=False):
            if batch.num_rows:
                places = np.arange(place, place + batch.num_rows, dtype=np.int64)
                place += batch.num_rows
                yield Chunk({name: _cells(batch.column(name)) for name in kept}, places + 1, places)
    except RefusedFile:
        raise
    except Exception as error:  # a damaged file makes the library fail in any way it likes
        raise RefusedFile(f"is not a Parquet file that can be read ({type(error).__name__}): write it again") from error


def _whole(body: bytes) -> bool:
    """Whether both ends are there, and the footer that the end names."""
    if len(body) < len(MAGIC) * 2 + 4 or not (body.startswith(MAGIC) and body.endswith(MAGIC)):
        return False
    footer = int.from_bytes(body[-8:-4], "little")
    return 0 < footer <= len(body) - len(MAGIC) * 2 - 4


def _cells(column: pa.Array) -> list[object]:
    """A column as Python values, None where there is none."""
    found = values(column.cast(held_type(column.type)))
    return list(map([*found.values, None].__getitem__, found.codes.tolist()))
