"""Parquet, read by fastparquet: typed cells, a row group at a time."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import fastparquet
import numpy as np

from andamio.tabular.rows import CHUNK, Chunk, ReadAs, RefusedFile

MAGIC = b"PAR1"


def read_parquet(body: bytes, read_as: ReadAs, wanted: Collection[str]) -> Iterator[Chunk]:
    """Read the wanted columns; raises `RefusedFile` when the file or a column of it cannot be read."""
    if not _whole(body):
        raise RefusedFile("is not a whole Parquet file: it may have been cut off; upload it again")
    try:
        file = fastparquet.ParquetFile(io.BytesIO(body))
        read_as.names = [str(name) for name in file.columns]
        kept = [name for name in read_as.names if name in wanted]
        if not kept:
            return
        place = 0
        for group in file.iter_row_groups(columns=kept, index=False):
            for start in range(0, len(group), CHUNK):
                frame = group.iloc[start : start + CHUNK]
                places = np.arange(place, place + len(frame), dtype=np.int64)
                place += len(frame)
                yield Chunk({name: _cells(frame[name]) for name in kept}, places + 1, places)
    except Exception as error:  # a damaged file makes the library fail in any way it likes
        raise RefusedFile(f"is not a Parquet file that can be read ({type(error).__name__}): write it again") from error


def _whole(body: bytes) -> bool:
    """Whether both ends are there: the library, compiled, reads past the end of a file that was cut off."""
    if len(body) < len(MAGIC) * 2 + 4 or not (body.startswith(MAGIC) and body.endswith(MAGIC)):
        return False
    footer = int.from_bytes(body[-8:-4], "little")
    return 0 < footer <= len(body) - len(MAGIC) * 2 - 4


def _cells(series: Any) -> list[object]:
    """A column as Python values, with None or NaN where there is none."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiu":
        numbers: list[object] = series.tolist()
        return numbers
    values = series.astype(object).where(series.notna(), None).tolist()
    return [_plain(value) for value in values]


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):  # pandas' timestamps are such too; text is what other formats hold
        return value.isoformat().removesuffix("T00:00:00")
    return value
